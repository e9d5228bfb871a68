//! Which file system a device or image has, by the kernel's magic numbers.
//!
//! The alternative, to have the kernel try each type it knows, would show what is foreign to every
//! one of its readers, and takes what an earlier file system left behind for the present one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Name, offset and bytes. The driver of ext4 reads its predecessors as well.
const MAGIC: [(&str, usize, &[u8]); 12] = [
    ("btrfs", 0x1_0040, b"_BHRfS_M"),
    ("xfs", 0, b"XFSB"),
    ("squashfs", 0, b"hsqs"),
    ("erofs", 0x400, &[0xE2, 0xE1, 0xF5, 0xE0]),
    ("f2fs", 0x400, &[0x10, 0x20, 0xF5, 0xF2]),
    ("ext4", 0x438, &[0x53, 0xEF]),
    ("iso9660", 0x8001, b"CD001"),
    ("vfat", 0x52, b"FAT32"),
    ("vfat", 0x36, b"FAT16"),
    ("vfat", 0x36, b"FAT12"),
    ("exfat", 3, b"EXFAT   "),
    ("ntfs3", 3, b"NTFS    "),
];

/// As far as any of them goes.
const LENGTH: usize = 0x1_0048;

/// The type of the file system in there, if it is a known one.
pub(super) fn kind(file: &File) -> io::Result<Option<&'static str>> {
    let mut bytes = vec![0; LENGTH];
    let mut length = 0;
    // Where the file is shorter, the rest stays zero, which is nobody's magic.
    while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(find(&bytes))
}

fn find(bytes: &[u8]) -> Option<&'static str> {
    let has = |offset: usize, magic: &[u8]| bytes.get(offset..offset + magic.len()) == Some(magic);
    MAGIC.iter().find(|(_, offset, magic)| has(*offset, magic)).map(|(name, ..)| *name)
}

/// The known types, for messages.
pub(super) fn known() -> String {
    let mut names: Vec<_> = MAGIC.iter().map(|(name, ..)| *name).collect();
    names.dedup();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_and_nothing_is_nothing() {
        for (name, offset, magic) in MAGIC {
            let mut bytes = vec![0; offset];
            bytes.extend_from_slice(magic);
            assert!(bytes.len() <= LENGTH);
            assert_eq!(find(&bytes), Some(name));
            bytes.pop();
            assert_eq!(find(&bytes), None, "{name}, cut");
        }
        assert_eq!(find(&[]), None);
        assert_eq!(find(&vec![0; LENGTH]), None);
    }
}
