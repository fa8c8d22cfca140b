// An archive through the real processes, each under its own profile: import, manifest, inflate and
// unpack, user.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "ipc/status_codec.h"
#include "schema/worker/import.capnp.h"
#include "schema/worker/inflate.capnp.h"
#include "schema/worker/manifest.capnp.h"
#include "schema/worker/pack.capnp.h"
#include "schema/worker/unpack.capnp.h"
#include "schema/worker/user.capnp.h"
#include "security/layer_ids.h"
#include "worker/import/live_worker.h"
#include "worker/import/test_archive.h"
#include "worker/parse/sha256.h"

namespace bulkhead::worker {
namespace {

std::string Hash(const std::string& text) {
  Sha256 hash;
  hash.Update(text);
  return hash.Finish();
}
std::string Hex(const std::string& text) { return absl::BytesToHexString(Hash(text)); }

std::string Text(capnp::Data::Reader data) {
  return std::string(reinterpret_cast<const char*>(data.begin()), data.size());
}

std::string Gzip(const std::string& bytes) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = bytes.size();
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = out.size();
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string Descriptor(const char* type, const std::string& content) {
  return absl::StrCat(R"({"mediaType":"application/vnd.oci.image.)", type, R"(","digest":"sha256:)",
                      Hex(content), R"(","size":)", content.size(), "}");
}

// One of each kind of entry, so that every system call of unpack's is made under its filter.
std::string LayerTar() {
  std::string cap(20, '\0');
  cap.replace(0, 6, std::string("\x01\x00\x00\x02\x00\x20", 6));
  return TestTar()
      .Add({.name = "./", .type = '5', .mode = 0755})
      .Add({.name = "etc/passwd", .contents = "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/w:/x\n"})
      .Add({.name = "etc/group", .contents = "audio:x:29:web\n"})
      .Add({.name = "etc/.wh.shadow"})
      .Add({.name = "opq/.wh..wh..opq"})
      .Add({.name = "bin/su", .contents = std::string(700000, 's'), .mode = 04755})
      .Add({.name = "bin/ping",
            .contents = "p",
            .mode = 0755,
            .pax = {{"SCHILY.xattr.security.capability", cap}, {"path", "bin/\xc3\xafng"}}})
      .Add({.name = "bin/sh", .type = '2', .link = "su"})
      .Add({.name = "other/deep/hard", .type = '1', .link = "bin/su"})
      .Add({.name = "run/fifo", .type = '6'})
      .Add({.name = "dev/null", .type = '3', .device_major = 1, .device_minor = 3})
      .Add({.name = "gone/a/b", .contents = "x"})
      .Add({.name = "gone", .contents = "file"})
      .Finish();
}

class ImageWorkersTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to start confined processes";
    char path[] = "/var/tmp/bulkhead-image-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    layer_path_ = path;
    ASSERT_EQ(chown(path, security::kBrokerUid, security::kBrokerUid), 0);
    layer_.Reset(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    archive_bytes_ = Archive();
    archive_ = FileOf(archive_bytes_);
    read_only_.Reset(
        open(absl::StrCat("/proc/self/fd/", archive_.get()).c_str(), O_RDONLY | O_CLOEXEC));
  }
  void TearDown() override {
    if (!layer_path_.empty()) std::filesystem::remove_all(layer_path_);
  }

  std::string Archive() {
    tar_ = LayerTar();
    std::string layer = Gzip(tar_);
    std::string config = absl::StrCat(
        R"({"os":"linux","architecture":"amd64",)", R"("config":{"User":"web","Cmd":["sh"]},)",
        R"("rootfs":{"type":"layers","diff_ids":["sha256:)", Hex(tar_), R"("]}})");
    std::string manifest =
        absl::StrCat(R"({"schemaVersion":2,"config":)", Descriptor("config.v1+json", config),
                     R"(,"layers":[)", Descriptor("layer.v1.tar+gzip", layer), "]}");
    TestTar out;
    for (const std::string& blob : {layer, config, manifest}) {
      out.Add({.name = "blobs/sha256/" + Hex(blob), .contents = blob});
    }
    return out
        .Add({.name = "index.json",
              .contents = absl::StrCat(R"({"schemaVersion":2,"manifests":[)",
                                       Descriptor("manifest.v1+json", manifest), "]}")})
        .Add({.name = "oci-layout", .contents = R"({"imageLayoutVersion":"1.0.0"})"})
        .Finish();
  }

  ipc::Received RunImport() {
    LiveWorker worker(security::kImportProfile, BULKHEAD_PROGRAMS);
    capnp::MallocMessageBuilder job;
    job.initRoot<schema::ImportJob>().setArchitecture("amd64");
    worker.Send(job, {read_only_.get()});
    return worker.Receive();
  }

  ipc::Received RunManifest(schema::ImportResult::Section::Reader section,
                            schema::ManifestJob::Kind kind) {
    LiveWorker worker(security::kManifestProfile, BULKHEAD_PROGRAMS);
    capnp::MallocMessageBuilder message;
    auto job = message.initRoot<schema::ManifestJob>();
    job.setKind(kind);
    job.setOffset(section.getOffset());
    job.setSize(section.getSize());
    job.setHasDigest(section.getHasDigest());
    job.setDigest(section.getDigest());
    job.setArchitecture("amd64");
    worker.Send(message, {read_only_.get()});
    return worker.Receive();
  }

  struct Unpacked {
    ipc::Received inflate;
    ipc::Received unpack;
  };
  Unpacked RunUnpack(schema::ImportResult::Section::Reader section) {
    LiveWorker inflate(security::kInflateProfile, BULKHEAD_PROGRAMS);
    LiveWorker unpack(security::kUnpackProfile, BULKHEAD_PROGRAMS);
    base::FdPair pipe = *base::MakePipe();
    capnp::MallocMessageBuilder unpack_message;
    auto unpack_job = unpack_message.initRoot<schema::UnpackJob>();
    auto budget = unpack_job.initBudget();
    budget.setMaxBytes(1 << 30);
    budget.setMaxEntries(1000);
    budget.setMaxTarBytes(1 << 30);
    budget.setMaxDepth(100);
    budget.setMaxXattrBytes(1000);
    budget.setCpuSeconds(60);
    unpack.Send(unpack_message, {pipe.first.get(), layer_.get()});
    capnp::MallocMessageBuilder inflate_message;
    auto inflate_job = inflate_message.initRoot<schema::InflateJob>();
    inflate_job.setOffset(section.getOffset());
    inflate_job.setSize(section.getSize());
    inflate_job.setMaxBytes(1 << 30);
    inflate.Send(inflate_message, {read_only_.get(), pipe.second.get()});
    pipe = {};
    return {inflate.Receive(), unpack.Receive()};
  }

  ipc::Received RunUser(const char* user) {
    LiveWorker worker(security::kUserProfile, BULKHEAD_PROGRAMS);
    capnp::MallocMessageBuilder job;
    job.initRoot<schema::UserJob>().setUser(user);
    worker.Send(job, {layer_.get()});
    return worker.Receive();
  }

  template <typename Result>
  static void ExpectOk(typename Result::Reader result) {
    absl::Status status = ipc::ReadStatus(result.getStatus());
    EXPECT_TRUE(status.ok()) << status;
  }

  void CheckLayer() {
    struct stat st;
    ASSERT_EQ(lstat((layer_path_ + "/bin/su").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode, S_IFREG | 04755u);
    EXPECT_EQ(st.st_uid, security::kLayerIdShift);
    EXPECT_EQ(st.st_nlink, 2u);
    ASSERT_EQ(lstat((layer_path_ + "/etc/shadow").c_str(), &st), 0);
    EXPECT_TRUE(S_ISCHR(st.st_mode));
    ASSERT_EQ(lstat((layer_path_ + "/run/fifo").c_str(), &st), 0);
    EXPECT_TRUE(S_ISFIFO(st.st_mode));
    char value[8];
    EXPECT_EQ(getxattr((layer_path_ + "/opq").c_str(), "user.overlay.opaque", value, 8), 1);
    std::string ping = layer_path_ + "/bin/\xc3\xafng";
    EXPECT_EQ(getxattr(ping.c_str(), "security.capability", nullptr, 0), 24);
    EXPECT_TRUE(std::filesystem::is_regular_file(layer_path_ + "/gone"));
    EXPECT_FALSE(std::filesystem::exists(layer_path_ + "/dev/null"));
  }

  std::string layer_path_;
  base::UniqueFd layer_;
  std::string tar_;
  std::string archive_bytes_;
  base::UniqueFd archive_;
  base::UniqueFd read_only_;
};

TEST_F(ImageWorkersTest, ArchiveBecomesALayer) {
  ipc::Received import = RunImport();
  auto found = import.As<schema::ImportResult>();
  ExpectOk<schema::ImportResult>(found);
  ASSERT_EQ(found.getImages().size(), 1u);
  auto image = found.getImages()[0];

  ipc::Received manifest =
      RunManifest(image.getManifest(), schema::ManifestJob::Kind::MANIFEST_OR_INDEX);
  ExpectOk<schema::ManifestResult>(manifest.As<schema::ManifestResult>());
  ASSERT_TRUE(manifest.As<schema::ManifestResult>().isManifest());
  ipc::Received config = RunManifest(image.getConfig(), schema::ManifestJob::Kind::CONFIG);
  ExpectOk<schema::ManifestResult>(config.As<schema::ManifestResult>());
  auto parsed = config.As<schema::ManifestResult>().getConfig();
  EXPECT_EQ(parsed.getUser(), "web");

  Unpacked unpacked = RunUnpack(image.getLayers()[0]);
  auto inflated = unpacked.inflate.As<schema::InflateResult>();
  ExpectOk<schema::InflateResult>(inflated);
  auto layer = unpacked.unpack.As<schema::UnpackResult>();
  ExpectOk<schema::UnpackResult>(layer);
  EXPECT_EQ(Text(layer.getLayer().getDiffId().getBytes()), Hash(tar_));
  EXPECT_EQ(Text(layer.getLayer().getDiffId().getBytes()), Text(parsed.getDiffIds()[0].getBytes()));
  EXPECT_EQ(Text(inflated.getDigest().getBytes()), Text(manifest.As<schema::ManifestResult>()
                                                            .getManifest()
                                                            .getLayers()[0]
                                                            .getDigest()
                                                            .getBytes()));
  CheckLayer();

  ipc::Received user = RunUser("web");
  auto ids = user.As<schema::UserResult>();
  ExpectOk<schema::UserResult>(ids);
  EXPECT_EQ(ids.getUser().getUid(), 33u);
  EXPECT_EQ(ids.getUser().getAdditionalGids().size(), 2u);
}

// The other maker, under its own filter: it has nothing but the two descriptors.
TEST_F(ImageWorkersTest, PackMakesAnImageWithNoFileSystem) {
  LiveWorker worker(security::kPackProfile, BULKHEAD_PROGRAMS);
  base::FdPair pipe = *base::MakePipe();
  base::UniqueFd image(memfd_create("image", MFD_CLOEXEC));
  capnp::MallocMessageBuilder message;
  auto budget = message.initRoot<schema::PackJob>().initBudget();
  budget.setMaxBytes(1 << 30);
  budget.setMaxEntries(1000);
  budget.setMaxTarBytes(1 << 30);
  budget.setMaxDepth(100);
  budget.setMaxXattrBytes(1000);
  budget.setCpuSeconds(60);
  worker.Send(message, {pipe.first.get(), image.get()});
  pipe.first.Reset();
  const std::string tar = LayerTar();
  std::thread writer([&] { (void)base::WriteAll(pipe.second.get(), tar), pipe.second.Reset(); });
  ipc::Received result = worker.Receive();
  writer.join();
  ExpectOk<schema::PackResult>(result.As<schema::PackResult>());
  EXPECT_EQ(Text(result.As<schema::PackResult>().getLayer().getDiffId().getBytes()), Hash(tar));
  struct stat st;
  ASSERT_EQ(fstat(image.get(), &st), 0);
  EXPECT_GT(st.st_size, 700000);
}

// What is wrong is told, not died of: the library's error paths run under the same filters.
TEST_F(ImageWorkersTest, GarbageIsAnswered) {
  std::string garbage(100000, 'g');
  base::UniqueFd file = FileOf(garbage);
  {
    LiveWorker worker(security::kImportProfile, BULKHEAD_PROGRAMS);
    capnp::MallocMessageBuilder job;
    job.initRoot<schema::ImportJob>();
    worker.Send(job, {file.get()});
    ipc::Received result = worker.Receive();
    EXPECT_FALSE(ipc::ReadStatus(result.As<schema::ImportResult>().getStatus()).ok());
  }
  {
    LiveWorker worker(security::kManifestProfile, BULKHEAD_PROGRAMS);
    capnp::MallocMessageBuilder message;
    message.initRoot<schema::ManifestJob>().setSize(garbage.size());
    worker.Send(message, {file.get()});
    ipc::Received result = worker.Receive();
    EXPECT_FALSE(ipc::ReadStatus(result.As<schema::ManifestResult>().getStatus()).ok());
  }
  {
    LiveWorker worker(security::kUnpackProfile, BULKHEAD_PROGRAMS);
    capnp::MallocMessageBuilder message;
    auto budget = message.initRoot<schema::UnpackJob>().initBudget();
    budget.setMaxBytes(1000);
    budget.setMaxEntries(1000);
    budget.setMaxTarBytes(1 << 20);
    base::FdPair pipe = *base::MakePipe();
    worker.Send(message, {pipe.first.get(), layer_.get()});
    pipe.first.Reset();
    ASSERT_TRUE(base::WriteAll(pipe.second.get(), garbage.substr(0, 4096)).ok());
    pipe.second.Reset();
    ipc::Received result = worker.Receive();
    EXPECT_EQ(ipc::ReadStatus(result.As<schema::UnpackResult>().getStatus()).code(),
              absl::StatusCode::kDataLoss);
  }
}

// The process that reads the pipe dies: the other one says so and ends.
TEST_F(ImageWorkersTest, InflateOutlivesItsReader) {
  base::UniqueFd file = FileOf(Gzip(LayerTar()));
  LiveWorker worker(security::kInflateProfile, BULKHEAD_PROGRAMS);
  base::FdPair pipe = *base::MakePipe();
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::InflateJob>();
  job.setSize(Gzip(LayerTar()).size());
  job.setMaxBytes(1 << 30);
  worker.Send(message, {file.get(), pipe.second.get()});
  pipe = {};
  ipc::Received result = worker.Receive();
  EXPECT_EQ(ipc::ReadStatus(result.As<schema::InflateResult>().getStatus()).code(),
            absl::StatusCode::kAborted);
}

}  // namespace
}  // namespace bulkhead::worker
