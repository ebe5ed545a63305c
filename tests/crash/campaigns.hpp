/* SPDX-License-Identifier: MPL-2.0 */
//
// The campaigns, each an exit code, and the roles that their processes play.
#pragma once

#include <string>

namespace vtx::crash {

int kills_campaign(int seconds);
/// Sends `name:1`, `name:2`, … until SIGTERM, then says in `report` how many are durable.
int produce(const std::string& endpoint, const std::string& name, const std::string& report);
/// Writes what it processed to a log of its own before it lets the message go.
int consume(const std::string& endpoint, const std::string& log);

int owners_campaign(int seconds);
/// Sends like produce(), and logs how many are durable each time that they are.
int flush(const std::string& endpoint, const std::string& name, const std::string& log);

int requests_campaign(int rounds);
/// Asks until SIGTERM, and logs what it asked once that is durable, and each answer.
int ask(const std::string& endpoint, const std::string& name, const std::string& log);
/// Logs each request before it answers it.
int answer(const std::string& endpoint, const std::string& log);

int askers_campaign(int count);

int sockets_campaign(int count);

int poison_campaign(int count);
/// Logs each message before it lets go of it. @param careful  else one in a thousand kills it
int work(const std::string& endpoint, const std::string& log, bool careful);

int peers_campaign(int count);
/// Peers of these numbers attach together, ask one question each, and go.
int peers_ask(const std::string& endpoint, int first, int last);
/// They come one after the other for their answers.
int peers_fetch(const std::string& endpoint, int first, int last);

}  // namespace vtx::crash
