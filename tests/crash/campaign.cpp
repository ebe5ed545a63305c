/* SPDX-License-Identifier: MPL-2.0 */
//
// Crash campaigns: real processes on one database, SQLite's where nothing else is said, killed at random. This program runs itself again for each of them.
//
//   vtx_campaign [SECONDS]            a work queue; kill one of ten consumers every 200 ms for so long (default 6)
//   vtx_campaign owners [SECONDS]     processes that share a RocksDB directory; kill one every 250 ms, each second time the owner (default 6)
//   vtx_campaign requests [ROUNDS]    request-reply; kill workers and askers until so many rounds are done (default 1000)
//   vtx_campaign askers [COUNT]       so many anonymous askers, one after the other, leave nothing behind (default 1000)
//   vtx_campaign sockets [COUNT]      so many sockets linked, sent one message each, and plainly closed (default 5000)
//   vtx_campaign peers [COUNT]        so many durable peers of one ROUTER ask, go, and are back for their answers (default 1000)
//   vtx_campaign poison [COUNT]       of so many messages one in a thousand kills its worker (default 5000)
//
// The seed is printed, and can be set in CAMPAIGN_SEED.
#include "campaigns.hpp"

#include <cstdlib>
#include <vector>

int main(int argc, char** argv) {
  using namespace vtx::crash;
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto number = [&](std::size_t at, int otherwise) {
    return words.size() > at ? std::atoi(words[at].c_str()) : otherwise;
  };
  const std::string first = words.empty() ? "" : words[0];
  if (words.size() == 4 && first == "produce") return produce(words[1], words[2], words[3]);
  if (words.size() == 3 && first == "consume") return consume(words[1], words[2]);
  if (words.size() == 4 && first == "flush") return flush(words[1], words[2], words[3]);
  if (words.size() == 4 && first == "ask") return ask(words[1], words[2], words[3]);
  if (words.size() == 3 && first == "answer") return answer(words[1], words[2]);
  if (first == "owners") return owners_campaign(number(1, 6));
  if (first == "requests") return requests_campaign(number(1, 1000));
  if (first == "askers") return askers_campaign(number(1, 1000));
  if (words.size() == 4 && first == "peers-ask") return peers_ask(words[1], number(2, 0), number(3, 0));
  if (words.size() == 4 && first == "peers-fetch") return peers_fetch(words[1], number(2, 0), number(3, 0));
  if (first == "peers") return peers_campaign(number(1, 1000));
  if (words.size() == 3 && first == "careful") return work(words[1], words[2], true);
  if (words.size() == 3 && first == "careless") return work(words[1], words[2], false);
  if (first == "poison") return poison_campaign(number(1, 5000));
  if (first == "sockets") return sockets_campaign(number(1, 5000));
  return kills_campaign(number(0, 6));
}
