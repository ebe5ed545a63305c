/* SPDX-License-Identifier: MPL-2.0 */
//
// No password is seen in a text, however the endpoint was written.
#include "endpoint_test.hpp"

namespace vtx::test {
namespace {

TEST(EndpointSecrets, AreMaskedInTheText) {
  EXPECT_EQ(accepted("server://u:secret@h/db").address.text, "server://u:***@h/db");
  EXPECT_EQ(accepted("server://u:se:c@ret@h/db").address.text, "server://u:***@h/db");
  EXPECT_EQ(accepted("server://h/db?password=secret&queue=a").address.text, "server://h/db?password=***&queue=a");
  EXPECT_EQ(accepted("server://h/db?queue=a&sslpassword=secret").address.text, "server://h/db?queue=a&sslpassword=***");
  EXPECT_EQ(accepted("server://h/db?p%61ssword=secret").address.text, "server://h/db?p%61ssword=***");
  EXPECT_EQ(accepted("server://h/db?password=secret").address.options.at("password"), "secret");
}

TEST(EndpointSecrets, MustBeEncoded) {
  EXPECT_EQ(error("server://u:a/b@h/db"),
            "server://u:***@h/db: the password holds a bare '/', '?' or '#': write %2F, %3F or %23");
  EXPECT_EQ(error("server://h/db?password=a&b"),
            "server://h/db?password=***&***: the value of option 'password' holds a bare '&': write it as %26");
}

TEST(EndpointSecrets, LeaveInnocentTextsAlone) {
  for (const char* uri :
       {"net://[::1]:5/x@y", "server://u@h:5432/db", "server://h1:1,h2:2/db?sslmode=a@b", "file:/a:b@c/q.db"})
    EXPECT_EQ(accepted(uri).address.text, uri);
}

TEST(EndpointSecrets, AreHiddenInErrorsHoweverTheyAreWritten) {
  const char* const uris[] = {
      "server://u:sec%ret@h/db",
      "server://u:sec ret@h/db",
      "server://u:sec#ret@h/db",
      "server://u:sec/ret@h/db?nonsense=1",
      "server://u:sec?ret@h/db",
      "server://u:sec?ret&x@h/db",
      "server://u:sec?ret=x@h/db",
      "server://u:sec&ret@h/db?nonsense=1",
      "server://h/db?password=sec%ret",
      "server://h/db?password=sec&ret",
      "server://h/db?password=sec#ret",
      "server://h/db?pasword=sec_ret",
      "server://h/db?Password=sec_ret",
      "server://h/db?password=sec_ret&password=sec_ret",
      "nowhere://u:sec_ret@h/db",
      "file:q?spool=server%3A%2F%2Fu%3Asec_ret%40h%2Fdb",
      "file:q?spool=server://u:sec_ret@h/db",
  };
  for (const char* uri : uris) {
    const std::string text = error(uri);
    EXPECT_EQ(text.find("sec"), std::string::npos) << text;
    EXPECT_EQ(text.find("ret@"), std::string::npos) << text;
    EXPECT_EQ(text.find("&ret"), std::string::npos) << text;
    EXPECT_EQ(text.find("'ret'"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace vtx::test
