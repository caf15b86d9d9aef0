//! Sparse files of archives: pieces that are there, and zeros between them. GNU tar writes them in four forms.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The most pieces a file may have.
const MAX_PIECES: usize = 1 << 20;
pub(super) const BLOCK: u64 = 512;

/// A file with holes.
#[derive(Clone, Debug)]
pub(super) struct Sparse {
    /// With its holes.
    pub(super) size: u64,
    /// In the order of the file, apart from each other.
    pieces: Arc<[Piece]>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    /// Where it is in the file.
    at: u64,
    length: u64,
    /// Where it is in the archive.
    from: u64,
}

fn bad() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "its map of holes contradicts itself")
}

/// What PAX records say of a sparse file.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) name: Option<Vec<u8>>,
    size: Option<u64>,
    /// Version 1.0: the map stands before the data.
    map_in_data: bool,
    /// Offsets and lengths in turn.
    map: Vec<u64>,
}

impl Records {
    /// Takes note of a record; false when it is about something else.
    pub(super) fn note(&mut self, key: &[u8], value: &[u8]) -> io::Result<bool> {
        let Some(key) = key.strip_prefix(b"GNU.sparse.") else { return Ok(false) };
        match key {
            b"name" => self.name = Some(value.to_vec()),
            b"realsize" | b"size" => self.size = Some(number(value)?),
            b"major" => self.map_in_data = number(value)? == 1,
            b"offset" | b"numbytes" => self.map.push(number(value)?),
            b"map" => self.map = value.split(|byte| *byte == b',').map(number).collect::<io::Result<_>>()?,
            _ => {}
        }
        if self.map.len() > 2 * MAX_PIECES { Err(bad()) } else { Ok(true) }
    }

    /// The file, where these records describe one: its data begins at `from` and has `stored` bytes.
    pub(super) fn file(&self, spool: &File, from: u64, stored: u64) -> io::Result<Option<Sparse>> {
        let Some(size) = self.size else { return Ok(None) };
        if !self.map_in_data {
            return Sparse::new(size, &self.map, from, stored).map(Some);
        }
        let mut lines = Lines { spool, at: from, end: from.checked_add(stored).ok_or_else(bad)? };
        let count = usize::try_from(lines.number()?).ok().filter(|count| *count <= MAX_PIECES).ok_or_else(bad)?;
        let map = (0..2 * count).map(|_| lines.number()).collect::<io::Result<Vec<_>>>()?;
        let taken = (lines.at - from).next_multiple_of(BLOCK);
        let left = stored.checked_sub(taken).ok_or_else(bad)?;
        Sparse::new(size, &map, from + taken, left).map(Some)
    }
}

impl Sparse {
    /// The file of an old GNU header, which is at `header` in the archive; `stored` bytes of it are there, from the second
    /// answer on.
    pub(super) fn of_header(spool: &File, header: u64, stored: u64) -> io::Result<(Self, u64)> {
        let mut block = [0; BLOCK as usize];
        spool.read_exact_at(&mut block, header)?;
        let field = |bytes: &[u8]| octal(bytes).ok_or_else(bad);
        let size = field(&block[483..495])?;
        let (mut more, mut fields, mut from) = (block[482] != 0, block[386..482].to_vec(), header + BLOCK);
        let mut map = Vec::new();
        loop {
            for part in fields.chunks_exact(24).take_while(|part| part[0] != 0) {
                map.extend([field(&part[..12])?, field(&part[12..])?]);
            }
            if !more {
                return Ok((Self::new(size, &map, from, stored)?, from));
            }
            if map.len() > 2 * MAX_PIECES {
                return Err(bad());
            }
            spool.read_exact_at(&mut block, from)?;
            from += BLOCK;
            more = block[504] != 0;
            fields = block[..504].to_vec();
        }
    }

    fn new(size: u64, map: &[u64], from: u64, stored: u64) -> io::Result<Self> {
        let (mut pieces, mut end, mut taken) = (Vec::with_capacity(map.len() / 2), 0, 0_u64);
        if !map.len().is_multiple_of(2) {
            return Err(bad());
        }
        for pair in map.chunks_exact(2) {
            let (at, length) = (pair[0], pair[1]);
            if at < end {
                return Err(bad());
            }
            end = at.checked_add(length).filter(|end| *end <= size).ok_or_else(bad)?;
            if length > 0 {
                pieces.push(Piece { at, length, from: from.checked_add(taken).ok_or_else(bad)? });
            }
            taken += length;
        }
        if taken > stored { Err(bad()) } else { Ok(Self { size, pieces: pieces.into() }) }
    }

    /// Bytes that are in no archive.
    pub(super) fn holes(&self) -> u64 {
        self.size - self.pieces.iter().map(|piece| piece.length).sum::<u64>()
    }

    /// Its bytes, zeros and all.
    pub(super) fn read<'f>(&'f self, spool: &'f File) -> impl Read + 'f {
        Reading { sparse: self, spool, at: 0, next: 0 }
    }
}

struct Reading<'f> {
    sparse: &'f Sparse,
    spool: &'f File,
    at: u64,
    /// The piece that is read or comes next.
    next: usize,
}

impl Read for Reading<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let fits = |left: u64| usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let piece = self.sparse.pieces.get(self.next);
        let hole_ends = piece.map_or(self.sparse.size, |piece| piece.at);
        let count = match piece {
            _ if self.at < hole_ends => {
                let count = fits(hole_ends - self.at);
                buffer[..count].fill(0);
                count
            }
            None => 0,
            Some(piece) => {
                let count = fits(piece.at + piece.length - self.at);
                let count = self.spool.read_at(&mut buffer[..count], piece.from + (self.at - piece.at))?;
                if count == 0 && !buffer.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.next += usize::from(self.at + count as u64 == piece.at + piece.length);
                count
            }
        };
        self.at += count as u64;
        Ok(count)
    }
}

/// Decimal numbers, one a line.
struct Lines<'f> {
    spool: &'f File,
    at: u64,
    end: u64,
}

impl Lines<'_> {
    fn number(&mut self) -> io::Result<u64> {
        const LONGEST: usize = 21;
        let mut bytes = [0; LONGEST];
        let room = usize::try_from(self.end - self.at).unwrap_or(LONGEST).min(LONGEST);
        let read = self.spool.read_at(&mut bytes[..room], self.at)?;
        let length = bytes[..read].iter().position(|byte| *byte == b'\n').ok_or_else(bad)?;
        self.at += length as u64 + 1;
        number(&bytes[..length])
    }
}

fn number(text: &[u8]) -> io::Result<u64> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(bad)
}

/// Octal digits, or with the highest bit set a number in base 256.
pub(super) fn octal(field: &[u8]) -> Option<u64> {
    if field.first()? & 0x80 != 0 {
        let (high, low) = field.split_at(field.len() - 8);
        let is_small = high.first() == Some(&0x80) && high[1..].iter().all(|byte| *byte == 0);
        return is_small.then(|| low.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)));
    }
    let text = std::str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    u64::from_str_radix(text, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn spool(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("own file");
        file
    }

    fn whole(sparse: &Sparse, spool: &File) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        sparse.read(spool).read_to_end(&mut bytes).map(|_| bytes)
    }

    #[test]
    fn zeros_stand_between_the_pieces() {
        let spool = spool(b"..abcde");
        let sparse = Sparse::new(12, &[0, 2, 5, 3, 12, 0], 2, 5).expect("a map");
        assert_eq!(whole(&sparse, &spool).expect("reads"), b"ab\0\0\0cde\0\0\0\0");
        assert_eq!(sparse.holes(), 7);
        let empty = Sparse::new(3, &[], 0, 0).expect("a map");
        assert_eq!(whole(&empty, &spool).expect("reads"), b"\0\0\0");
        let cut = Sparse::new(40, &[0, 40], 2, 40).expect("a map");
        assert!(whole(&cut, &spool).is_err(), "the archive ends before");
    }

    #[test]
    fn maps_that_contradict_themselves_are_refused() {
        for (size, map, stored) in [
            (10, &[0, 11][..], 11),
            (10, &[4, 2, 3, 2], 4),
            (10, &[0], 0),
            (10, &[0, 5], 4),
            (u64::MAX, &[u64::MAX, 2], 2),
        ] {
            assert!(Sparse::new(size, map, 0, stored).is_err(), "{map:?}");
        }
        let mut records = Records::default();
        assert!(!records.note(b"path", b"x").expect("not ours"));
        assert!(records.note(b"GNU.sparse.map", b"0,x").is_err());
        for (key, value) in [("GNU.sparse.major", "1"), ("GNU.sparse.realsize", "4")] {
            assert!(records.note(key.as_bytes(), value.as_bytes()).expect("ours"));
        }
        for text in ["9999999999\n", "2\n0\n1\n", "x\n", ""] {
            assert!(records.file(&spool(text.as_bytes()), 0, text.len() as u64).is_err(), "{text:?}");
        }
    }
}
