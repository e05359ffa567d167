//! ZIP archives that would grow beyond all measure.

use std::io::{Cursor, Write};

use siteward_core::intake::IntakeError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{Case, Expect};

/// Signatures of a local file's header, an entry in the directory, and the directory's end (APPNOTE 4.3).
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const ENTRY: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";

pub(super) fn cases() -> Vec<Case> {
    let refused = |error| Expect::Refused(error);
    let bomb = zip(&[("bomb.pem", vec![0; 200 * 1024 * 1024])]);
    let nested = (0..40).fold(zip(&[("leaf.pem", b"nothing".to_vec())]), |inner, _| zip(&[("inner.zip", inner)]));
    let many: Vec<(&str, Vec<u8>)> = (0..2000).map(|_| ("a", Vec::new())).collect();
    let ends = [&LOCAL[..], &END.repeat(200_000)].concat();
    let comments = [&LOCAL[..], &[&END[..], &[0; 16], &[0xff, 0xff]].concat().repeat(40_000)].concat();
    vec![
        Case::new("200 MiB of zeros in an archive", bomb.clone(), refused(IntakeError::ArchiveTooLarge)),
        Case::new("the same that says it is small", lying(bomb.clone()), Expect::RefusedSomehow),
        Case::new("the same named sixty times", overlapping(&bomb, 60), Expect::RefusedSomehow),
        Case::new("the same named forty times", overlapping(&bomb, 40), Expect::RefusedSomehow),
        Case::new("packed with bzip2", packed_otherwise(bomb.clone(), 12), refused(IntakeError::Archive)),
        Case::new("packed with zstd", packed_otherwise(bomb.clone(), 93), refused(IntakeError::Archive)),
        Case::new("packed with xz", packed_otherwise(bomb, 95), refused(IntakeError::Archive)),
        Case::new("forty archives in each other", nested, refused(IntakeError::Archive)),
        Case::new("two thousand files", zip_of_same_names(&many), refused(IntakeError::ArchiveTooLarge)),
        Case::new("an archive of ends", ends, refused(IntakeError::Archive)),
        Case::new("an archive of ends with comments", comments, Expect::RefusedSomehow),
    ]
}

fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(*name, SimpleFileOptions::default()).expect("a file in it");
        archive.write_all(bytes).expect("its content");
    }
    archive.finish().expect("an archive").into_inner()
}

fn zip_of_same_names(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let named: Vec<String> = (0..files.len()).map(|i| format!("{i}.pem")).collect();
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, (_, bytes)) in named.iter().zip(files) {
        archive.start_file(name, options).expect("a file in it");
        archive.write_all(bytes).expect("its content");
    }
    archive.finish().expect("an archive").into_inner()
}

fn find(archive: &[u8], signature: [u8; 4]) -> usize {
    archive.windows(4).rposition(|window| window == signature).expect("its signature")
}

/// Both places that tell the unpacked size now say ten bytes.
fn lying(mut archive: Vec<u8>) -> Vec<u8> {
    let entry = find(&archive, ENTRY);
    archive[22..26].copy_from_slice(&10u32.to_le_bytes());
    archive[entry + 24..entry + 28].copy_from_slice(&10u32.to_le_bytes());
    archive
}

/// Both places that tell how it is packed now say otherwise.
fn packed_otherwise(mut archive: Vec<u8>, method: u16) -> Vec<u8> {
    let entry = find(&archive, ENTRY);
    archive[8..10].copy_from_slice(&method.to_le_bytes());
    archive[entry + 10..entry + 12].copy_from_slice(&method.to_le_bytes());
    archive
}

/// The directory names the one file so many times.
fn overlapping(archive: &[u8], times: u16) -> Vec<u8> {
    let (entry, end) = (find(archive, ENTRY), find(archive, END));
    let directory = archive[entry..end].repeat(times.into());
    let mut last = archive[end..].to_vec();
    last[8..10].copy_from_slice(&times.to_le_bytes());
    last[10..12].copy_from_slice(&times.to_le_bytes());
    last[12..16].copy_from_slice(&u32::try_from(directory.len()).expect("a size").to_le_bytes());
    [&archive[..entry], &directory, &last].concat()
}
