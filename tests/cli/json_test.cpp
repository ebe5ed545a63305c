/* SPDX-License-Identifier: MPL-2.0 */
//
// --format json, both ways: frames as text or base64, properties beside them, and what is no such line.
#include <nlohmann/json.hpp>

#include "cli_test.hpp"

namespace vtx::test {
namespace {

using nlohmann::json;

class JsonTest : public CliTest {
 protected:
  void send_json(const std::string& lines) const { send(lines, "json"); }
  std::vector<json> receive_json(const std::string& options = "") const {
    std::vector<json> messages;
    for (const auto& line : whole_lines(receive({"--format", "json"}, options))) messages.push_back(json::parse(line));
    return messages;
  }
  /// Expects that the lines after a good one are refused with these words, and that the good one was sent.
  void expect_refused(const std::string& line, const Strings& words) const {
    const Outcome sent = run({"send", uri(), "--format", "json"},
                             file("{\"frames\": [\"good\"]}\n\n" + line + "\n{\"frames\": [\"z\"]}\n"));
    EXPECT_EQ(sent.code, 1) << line;
    for (const auto& word : words) EXPECT_NE(sent.err.find(word), std::string::npos) << word << " in: " << sent.err;
    EXPECT_NE(sent.err.find("line 3"), std::string::npos) << sent.err;
    EXPECT_NE(sent.err.find("1 messages sent, all durable"), std::string::npos) << sent.err;
    EXPECT_EQ(run({"recv", uri(), "-n", "1"}).out, "good\n");
  }
};

TEST_F(JsonTest, FramesAreTextOrBase64) {
  const std::string binary = std::string("\x00\xff\xfe", 3);
  const std::string overlong = "\xc0\x80";
  const std::string surrogate = "\xed\xa0\x80";
  send(framed({"plain", "", binary}) + framed({"Grüße, \"Welt\"\n\t"}) + framed({overlong, surrogate, "\xff"}) +
           framed({std::string("\0", 1)}),
       "frames");
  const auto messages = receive_json();
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(messages[0].at("frames"), json::parse(R"(["plain", "", {"base64": "AP/+"}])"));
  EXPECT_EQ(messages[1].at("frames"), json::array({"Grüße, \"Welt\"\n\t"}));
  EXPECT_EQ(messages[2].at("frames"), json::parse(R"([{"base64": "wIA="}, {"base64": "7aCA"}, {"base64": "/w=="}])"));
  EXPECT_EQ(messages[3].at("frames"), json::array({std::string("\0", 1)}));
}

TEST_F(JsonTest, WhatWasReceivedCanBeSentAgain) {
  std::string every_byte;
  for (int byte = 255; byte >= 0; --byte) every_byte += static_cast<char>(byte);
  const std::string messages =
      framed({""}) + framed({"a", "", every_byte}) + framed({every_byte + "x"}) + framed({"ä"});
  send(messages, "frames");
  send_json(receive({"--format", "json"}));
  EXPECT_TRUE(receive({"--format", "frames"}) == messages);
}

TEST_F(JsonTest, PropertiesTravelAlong) {
  send_json(
      R"({"frames": ["one", "two"], "properties": {"Content-Type": "text/plain", "Tag": ["a", "b"], "Odd": {"base64": "/w=="}}}
{"frames": ["bare"]}
{"properties": {}, "frames": [{"base64": "aGk="}]}
)");
  const auto messages = receive_json("&max_deliveries=7");
  ASSERT_EQ(messages.size(), 3U);
  const json& properties = messages[0].at("properties");
  EXPECT_EQ(messages[0].at("frames"), json::parse(R"(["one", "two"])"));
  EXPECT_EQ(properties.at("Content-Type"), "text/plain");
  EXPECT_EQ(properties.at("Tag"), json::parse(R"(["a", "b"])"));
  EXPECT_EQ(properties.at("Odd"), json::parse(R"({"base64": "/w=="})"));
  EXPECT_EQ(properties.at("Sequence"), "1");
  EXPECT_EQ(properties.at("Deliveries"), "1");
  EXPECT_TRUE(properties.contains("Delivery-Id"));
  EXPECT_TRUE(properties.contains("Sent-Time"));
  EXPECT_EQ(messages[1].at("frames"), json::array({"bare"}));
  EXPECT_FALSE(messages[1].at("properties").contains("Content-Type"));
  EXPECT_EQ(messages[2].at("frames"), json::array({"hi"}));
}

TEST_F(JsonTest, PropertiesAreNoFrameForOtherFormats) {
  send_json(R"({"frames": ["body"], "properties": {"Ttl": "1h"}})");
  EXPECT_EQ(receive(), "body\n");
}

TEST_F(JsonTest, ALineThatIsNoMessageIsNamedAndWhatStandsBeforeItIsSent) {
  expect_refused("{\"frames\": [\"cut", {"is no JSON"});
  expect_refused("[]", {"\"frames\""});
  expect_refused("{}", {"\"frames\""});
  expect_refused(R"({"frames": []})", {"at least one"});
  expect_refused(R"({"frames": "text"})", {"list"});
  expect_refused(R"({"frames": [1]})", {"frame 1", "base64"});
  expect_refused(R"({"frames": ["ok", {"base64": "A==="}]})", {"frame 2", "no valid base64"});
  expect_refused(R"({"frames": [{"base64": "/x=="}]})", {"no valid base64"});
  expect_refused(R"({"frames": ["a"], "property": {}})", {"unknown key 'property'"});
  expect_refused(R"({"frames": ["a"], "properties": {"Na me": "x"}})", {"'Na me'"});
  expect_refused(R"({"frames": ["a"], "properties": {"Name": "x\ny"}})", {"'Name'", "line feed"});
  expect_refused(R"({"frames": ["a"], "properties": {"Name": 5}})", {"'Name'", "text"});
  expect_refused("{\"frames\": [\"\xff\"]}", {"is no JSON"});
  expect_refused("{\"frames\": " + std::string(1'000'000, '['), {"nested too deeply"});
  expect_refused(R"({"frames": ["a"], "properties": {"Name": ")" + std::string(70'000, 'v') + "\"}}", {"64 KiB"});
}

TEST_F(JsonTest, APropertyThatTheStoreDoesNotTakeIsAFailure) {
  const Outcome sent =
      run({"send", uri(), "--format", "json"}, file(R"({"frames": ["a"], "properties": {"Ttl": "soon"}})"));
  EXPECT_EQ(sent.code, 1);
  EXPECT_NE(sent.err.find("Ttl"), std::string::npos) << sent.err;
}

TEST_F(JsonTest, APlainEndpointCarriesNoProperties) {
  const std::string plain = "ipc://" + (scratch_ / "plain").string();
  Process receiver(scratch_, {"recv", plain, "--bind", "-n", "1", "--format", "json"});
  const Outcome refused = run({"send", plain, "--connect", "--format", "json"},
                              file(R"({"frames": ["a"], "properties": {"Name": "value"}})"));
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("properties"), std::string::npos) << refused.err;
  EXPECT_EQ(run({"send", plain, "--connect", "--format", "json"}, file(R"({"frames": ["a"]})")).code, 0);
  EXPECT_EQ(json::parse(receiver.wait().out), json::parse(R"({"frames": ["a"], "properties": {}})"));
}

}  // namespace
}  // namespace vtx::test
