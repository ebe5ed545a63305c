/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The public C headers, in a C99 compiler without extensions. Twice, for their guards; nothing of it runs.
 */
#include "vtx/all.h"
#include "vtx/driver/driver.h"
#include "vtx/export.h"
#include "vtx/vtx.h"

#include "vtx/all.h"
#include "vtx/vtx.h"

int vtx_c99_headers (void *context);

int vtx_c99_headers (void *context)
{
  vtx_t *vtx = vtx_new (context);
  vtx_stats_t stats = {0};
  stats.struct_size = (uint32_t) sizeof stats;
  return vtx != NULL && vtx_register_all (vtx) == 0 ? vtx_stats (vtx, NULL, NULL, &stats) : -1;
}
