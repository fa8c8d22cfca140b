#include "streaming/spdy/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "streaming/spdy/bytes.h"

namespace bulkhead::streaming::spdy {
namespace {

// Frames as a client writes them.
class Client {
 public:
  static std::string Control(uint16_t type, uint8_t flags, const std::string& payload) {
    std::string frame;
    Append16(&frame, 0x8003);
    Append16(&frame, type);
    Append32(&frame, static_cast<uint32_t>(payload.size()) | uint32_t{flags} << 24);
    return frame + payload;
  }
  static std::string Words(std::initializer_list<uint32_t> words) {
    std::string bytes;
    for (uint32_t word : words) Append32(&bytes, word);
    return bytes;
  }
  std::string Syn(uint32_t id, const Headers& headers, uint8_t flags = 0) {
    std::string payload = Words({id, 0});
    Append16(&payload, 0);
    return Control(1, flags, payload + writer_.Write(headers));
  }
  static std::string Data(uint32_t id, const std::string& bytes, bool fin = false) {
    return Words({id, static_cast<uint32_t>(bytes.size()) | (fin ? 1u << 24 : 0)}) + bytes;
  }
  static std::string Window(uint32_t id, uint32_t more) { return Control(9, 0, Words({id, more})); }

 private:
  HeaderWriter writer_;
};

class SessionTest : public testing::Test, public Session::Handler {
 protected:
  bool OnStream(uint32_t id, const Headers& headers) override {
    seen_.push_back(absl::StrCat("stream ", id, " ", Find(headers, "streamtype")));
    if (accept_) session_.Reply(id);
    return accept_;
  }
  void OnData(uint32_t id, absl::string_view bytes) override {
    data_[id].append(bytes.data(), bytes.size());
    session_.Consumed(id, bytes.size());
  }
  void OnEnd(uint32_t id) override { seen_.push_back(absl::StrCat("end ", id)); }
  void OnReset(uint32_t id) override { seen_.push_back(absl::StrCat("reset ", id)); }
  void OnRoom(uint32_t id) override { seen_.push_back(absl::StrCat("room ", id)); }
  void OnGoAway() override { seen_.push_back("go away"); }

  // The types of the frames that wait in the output: "2" a control frame, "d" data.
  std::string Answers() {
    std::string types;
    const std::string& out = session_.output();
    for (size_t at = 0; at + 8 <= out.size();) {
      const bool control = (out[at] & 0x80) != 0;
      types += control ? absl::StrCat(Load16(out.data() + at + 2)) : "d";
      at += 8 + (Load32(out.data() + at + 4) & 0xffffff);
    }
    session_.output().clear();
    return types;
  }

  bool accept_ = true;
  std::vector<std::string> seen_;
  std::map<uint32_t, std::string> data_;
  Session session_{*this, {.streams = 4}};
  Client client_;
};

TEST_F(SessionTest, CarriesAStreamBothWays) {
  ASSERT_TRUE(session_.Feed(client_.Syn(1, {{"streamtype", "stdin"}})).ok());
  EXPECT_EQ(Answers(), "2");
  ASSERT_TRUE(session_.Feed(Client::Data(1, "hello") + Client::Data(1, "", true)).ok());
  EXPECT_EQ(data_[1], "hello");
  session_.Send(1, "answer", true);
  EXPECT_EQ(Answers(), "d");
  EXPECT_THAT(seen_, testing::ElementsAre("stream 1 stdin", "end 1"));
  EXPECT_EQ(session_.streams(), 0u);
}

TEST_F(SessionTest, TakesBytesInAnyPieces) {
  // In this order: what is compressed later refers to what was before.
  std::string all = client_.Syn(1, {{"streamtype", "a"}});
  all += Client::Data(1, "12345");
  all += client_.Syn(3, {{"streamtype", "b"}});
  all += Client::Data(3, "x", true);
  for (char c : all) ASSERT_TRUE(session_.Feed({&c, 1}).ok());
  EXPECT_EQ(data_[1], "12345");
  EXPECT_EQ(data_[3], "x");
  EXPECT_EQ(seen_.back(), "end 3");
}

TEST_F(SessionTest, ObeysWindowsOnlyOfThoseWhoHaveThem) {
  ASSERT_TRUE(session_.Feed(client_.Syn(1, {})).ok());
  EXPECT_GT(session_.SendRoom(1), size_t{1} << 20) << "a client that never speaks of windows";
  ASSERT_TRUE(session_.Feed(Client::Window(1, 0)).ok());
  EXPECT_EQ(session_.SendRoom(1), size_t{64} << 10);
  session_.Send(1, std::string(64 << 10, 'x'), false);
  EXPECT_EQ(session_.SendRoom(1), 0u);
  ASSERT_TRUE(session_.Feed(Client::Window(1, 100)).ok());
  EXPECT_EQ(session_.SendRoom(1), 0u) << "the connection's is used up";
  ASSERT_TRUE(session_.Feed(Client::Window(0, 50)).ok());
  EXPECT_EQ(session_.SendRoom(1), 50u);
}

TEST_F(SessionTest, GivesTheClientWindowAsItConsumes) {
  ASSERT_TRUE(session_.Feed(client_.Syn(1, {})).ok());
  Answers();
  ASSERT_TRUE(session_.Feed(Client::Data(1, std::string(40 << 10, 'x'))).ok());
  EXPECT_EQ(Answers(), "99") << "of the connection and of the stream";
}

TEST_F(SessionTest, RefusesMoreStreamsThanItsLimitAndThoseNobodyWants) {
  for (uint32_t id = 1; id <= 7; id += 2) ASSERT_TRUE(session_.Feed(client_.Syn(id, {})).ok());
  ASSERT_TRUE(session_.Feed(client_.Syn(9, {})).ok());
  EXPECT_EQ(Answers(), "22223");
  ASSERT_TRUE(session_.Feed(Client::Control(3, 0, Client::Words({1, 5}))).ok());
  EXPECT_EQ(seen_.back(), "reset 1");
  accept_ = false;
  ASSERT_TRUE(session_.Feed(client_.Syn(11, {})).ok());
  EXPECT_EQ(Answers(), "3");
  EXPECT_EQ(session_.streams(), 3u);
}

TEST_F(SessionTest, AnswersPingsAndDropsDataOfStreamsThatAreOver) {
  ASSERT_TRUE(session_.Feed(Client::Control(6, 0, Client::Words({1}))).ok());
  ASSERT_TRUE(session_.Feed(Client::Control(6, 0, Client::Words({2}))).ok());
  EXPECT_EQ(Answers(), "6");
  ASSERT_TRUE(session_.Feed(Client::Data(99, "nobody's")).ok());
  EXPECT_TRUE(data_.empty());
}

TEST(V42, HeaderBombsAreRefusedBeforeTheyAreUnpacked) {
  z_stream packer = {};
  ASSERT_EQ(deflateInit(&packer, 9), Z_OK);
  const absl::string_view words = HeaderDictionary();
  deflateSetDictionary(&packer, reinterpret_cast<const Bytef*>(words.data()),
                       static_cast<uInt>(words.size()));
  std::string bomb(32 << 20, '\0'), packed(256 << 10, '\0');
  packer.next_in = reinterpret_cast<Bytef*>(bomb.data());
  packer.avail_in = static_cast<uInt>(bomb.size());
  packer.next_out = reinterpret_cast<Bytef*>(packed.data());
  packer.avail_out = static_cast<uInt>(packed.size());
  deflate(&packer, Z_SYNC_FLUSH);
  packed.resize(packed.size() - packer.avail_out);
  deflateEnd(&packer);
  ASSERT_LT(packed.size(), kMaxHeaderBytes);
  HeaderReader reader;
  EXPECT_TRUE(absl::IsResourceExhausted(reader.Read(packed).status()));
  EXPECT_FALSE(reader.Read("").ok()) << "the zlib stream is lost";
}

TEST(V42, HeadersAreCountedBeforeTheyAreRead) {
  HeaderWriter writer;
  Headers many(kMaxHeaders + 1);
  HeaderReader reader;
  EXPECT_TRUE(absl::IsResourceExhausted(reader.Read(writer.Write(many)).status()));
}

// Each ends the session, with a word to the client and whatever comes afterwards unread.
class BadFrames : public SessionTest, public testing::WithParamInterface<int> {};

TEST_P(BadFrames, EndTheSession) {
  const std::string frames[] = {
      std::string("\x80\x02\0\x01\0\0\0\0", 8),                       // version 2
      std::string("\x80\x03\0\x01\0\xff\xff\xff", 8),                 // 16 MiB of headers
      Client::Control(1, 0, std::string(4, '\0')),                    // too short
      Client::Control(1, 0, std::string(40, 'x')),                    // not zlib
      Client::Control(2, 0, Client::Words({1})),                      // a reply
      Client::Control(4, 0, Client::Words({1000})),                   // settings, none there
      Client::Control(4, 0, Client::Words({1, 7, 0x80000000})),       // a window of 2 GiB
      Client::Window(0, 0x7fffffff) + Client::Window(0, 0x7fffffff),  // and one more
      client_.Syn(2, {}),                                             // the server's number
      client_.Syn(3, {}) + client_.Syn(3, {}),                        // twice
  };
  const absl::Status status = session_.Feed(frames[GetParam()]);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(Answers().back(), '7');
  EXPECT_FALSE(session_.Feed(client_.Syn(101, {})).ok());
}

INSTANTIATE_TEST_SUITE_P(All, BadFrames, testing::Range(0, 10));

}  // namespace
}  // namespace bulkhead::streaming::spdy
