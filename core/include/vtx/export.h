/* SPDX-License-Identifier: MPL-2.0 */
/* The one export macro: everything else is hidden. */
#ifndef VTX_EXPORT_H_INCLUDED
#define VTX_EXPORT_H_INCLUDED
#if defined(__GNUC__)
#define VTX_EXPORT __attribute__ ((visibility ("default")))
#else
#define VTX_EXPORT
#endif
#endif
