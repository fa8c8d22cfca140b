#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

// The on-disk format of EROFS as far as we write it: uncompressed, 4 KiB blocks, extended inodes
// (Linux, fs/erofs/erofs_fs.h). All numbers are little-endian.
namespace bulkhead::base::erofs {

static_assert(std::endian::native == std::endian::little, "numbers would have to be swapped");

inline constexpr uint32_t kMagic = 0xE0F5E1E2;
inline constexpr uint64_t kSuperBlockOffset = 1024;
inline constexpr uint64_t kBlockBits = 12;
inline constexpr uint64_t kBlockBytes = 1u << kBlockBits;
// Inodes are numbered by where they lie, in steps of this many bytes from the first metadata block.
inline constexpr uint64_t kInodeSlotBytes = 32;

struct SuperBlock {
  uint32_t magic;
  uint32_t checksum;
  uint32_t feature_compat;
  uint8_t block_bits;
  uint8_t extra_slots;
  uint16_t root_nid;
  uint64_t inodes;
  uint64_t build_time;
  uint32_t build_time_nsec;
  uint32_t blocks;
  uint32_t meta_block;
  uint32_t xattr_block;
  uint8_t uuid[16];
  uint8_t volume_name[16];
  uint32_t feature_incompat;
  uint8_t reserved[44];
};
static_assert(sizeof(SuperBlock) == 128);

// i_format: bit 0 says extended, the next three how the data lie.
inline constexpr uint16_t kExtendedPlain = 1 | 0 << 1;   // in whole blocks
inline constexpr uint16_t kExtendedInline = 1 | 2 << 1;  // the last part block follows the inode

struct Inode {
  uint16_t format;
  uint16_t xattr_count;  // 0, or 1 + the 4-byte words of xattrs after their header
  uint16_t mode;
  uint16_t reserved;
  uint64_t size;
  uint32_t start_block;  // of a file's data; a device's number
  uint32_t number;       // for 32-bit stat
  uint32_t uid;
  uint32_t gid;
  int64_t mtime;
  uint32_t mtime_nsec;
  uint32_t links;
  uint8_t reserved2[16];
};
static_assert(sizeof(Inode) == 64);

// Follows an inode that has xattrs; then come shared_count numbers of shared xattrs, then inline
// ones.
struct XattrHeader {
  uint32_t reserved;
  uint8_t shared_count;
  uint8_t reserved2[7];
};
static_assert(sizeof(XattrHeader) == 12);

// Then the name without its prefix, then the value; padded to 4 bytes.
struct XattrEntry {
  uint8_t name_bytes;
  uint8_t name_index;
  uint16_t value_bytes;
};
static_assert(sizeof(XattrEntry) == 4);
inline constexpr uint8_t kXattrUser = 1;
inline constexpr uint8_t kXattrSecurity = 6;

#pragma pack(push, 1)
struct DirectoryEntry {
  uint64_t nid;
  uint16_t name_offset;  // in its block
  uint8_t file_type;
  uint8_t reserved;
};
#pragma pack(pop)
static_assert(sizeof(DirectoryEntry) == 12);

enum FileType : uint8_t { kRegular = 1, kDirectory = 2, kCharacter = 3, kFifo = 5, kSymlink = 7 };

}  // namespace bulkhead::base::erofs
