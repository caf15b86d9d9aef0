//! Reading tar that may be hostile: every length is bounded before anything is allocated for it.

use std::io::{self, Read};

use super::error::{LayerError, stream_error};

const BLOCK: usize = 512;
const BUFFER: usize = 512 << 10;

/// Bounds on what a layer may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Entries.
    pub entries: u64,
    /// Bytes of all files together.
    pub bytes: u64,
    /// Bytes of one entry's extended header or long name.
    pub header: u64,
    /// Components of one path.
    pub depth: usize,
    /// Bytes behind the last entry.
    pub tail: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { entries: 20_000_000, bytes: 1 << 40, header: 1 << 20, depth: 1024, tail: 64 << 20 }
    }
}

/// What an entry says of itself.
#[derive(Debug, Default)]
pub(crate) struct Header {
    pub(crate) name: Vec<u8>,
    pub(crate) link: Vec<u8>,
    pub(crate) kind: u8,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) size: u64,
    pub(crate) mtime: i64,
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Offset and length of the parts that are there; empty for a file that is there whole.
    pub(crate) sparse: Vec<(u64, u64)>,
    /// Size of the file once its holes are filled.
    pub(crate) real_size: u64,
}

#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u32>,
    gid: Option<u32>,
    mtime: Option<i64>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Entries of a tar, one after the other.
pub(crate) struct TarReader<R> {
    inner: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    limits: Limits,
    entries: u64,
    bytes: u64,
    /// Content of the current entry that was not read yet, and its padding.
    left: u64,
    padding: u64,
}

impl<R: Read> TarReader<R> {
    pub(crate) fn new(inner: R, limits: Limits) -> TarReader<R> {
        let buffer = vec![0; BUFFER];
        TarReader { inner, buffer, start: 0, end: 0, limits, entries: 0, bytes: 0, left: 0, padding: 0 }
    }

    /// The next entry; what was not read of the one before is passed over.
    pub(crate) fn next(&mut self) -> Result<Option<Header>, LayerError> {
        self.skip_content()?;
        let mut extended = Extended::default();
        loop {
            let Some(block) = self.block()? else { return Ok(None) };
            if block.iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            let kind = block[156];
            let size = self.checked(&block)?;
            match kind {
                b'x' | b'X' => {
                    let records = self.long(size)?;
                    parse_records(&records, &mut extended)?;
                }
                b'g' => {
                    self.long(size)?;
                }
                b'L' => extended.name = Some(until_nul(&self.long(size)?).to_vec()),
                b'K' => extended.link = Some(until_nul(&self.long(size)?).to_vec()),
                _ => return self.header(&block, size, extended).map(Some),
            }
        }
    }

    /// The next part of the current entry's content; empty at its end.
    pub(crate) fn content(&mut self) -> Result<&[u8], LayerError> {
        if self.left == 0 {
            return Ok(&[]);
        }
        if self.start == self.end && self.fill()? == 0 {
            return Err(truncated());
        }
        let take = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.end - self.start);
        let part = self.start..self.start + take;
        self.start += take;
        self.left -= take as u64;
        Ok(&self.buffer[part])
    }

    /// Reads to the end of the stream, whatever stands behind the last entry.
    pub(crate) fn drain(&mut self) -> Result<(), LayerError> {
        let mut passed: u64 = 0;
        loop {
            self.start = self.end;
            match self.fill()? {
                0 => return Ok(()),
                read => passed += read as u64,
            }
            // A few bytes can be decompressed to zeros without end.
            if passed > self.limits.tail {
                return Err(LayerError::Limit { what: "bytes behind the last entry", limit: self.limits.tail });
            }
        }
    }

    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.entries, self.bytes)
    }

    fn header(&mut self, block: &[u8; BLOCK], size: u64, extended: Extended) -> Result<Header, LayerError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(LayerError::Limit { what: "entries", limit: self.limits.entries });
        }
        let mut name = until_nul(&block[..100]).to_vec();
        if &block[257..263] == b"ustar\0" {
            let prefix = until_nul(&block[345..500]);
            if !prefix.is_empty() {
                name = [prefix, b"/", &name].concat();
            }
        }
        let id = |range: std::ops::Range<usize>| {
            // Minus one, as some writers have for nobody, and everything else that is no ID.
            number(&block[range]).and_then(|id| u32::try_from(id).ok())
        };
        let mut header = Header {
            name: extended.name.unwrap_or(name),
            link: extended.link.unwrap_or_else(|| until_nul(&block[157..257]).to_vec()),
            kind: block[156],
            mode: number(&block[100..108]).and_then(|mode| u32::try_from(mode).ok()).unwrap_or(0) & 0o7777,
            uid: 0,
            gid: 0,
            size: extended.size.unwrap_or(size),
            mtime: extended.mtime.or_else(|| number(&block[136..148])).unwrap_or(0),
            major: id(329..337).unwrap_or(0),
            minor: id(337..345).unwrap_or(0),
            xattrs: extended.xattrs,
            sparse: Vec::new(),
            real_size: 0,
        };
        let bad = |what: &str| LayerError::entry(&header.name, format!("its {what} is no number in range"));
        header.uid = extended.uid.or_else(|| id(108..116)).ok_or_else(|| bad("user ID"))?;
        header.gid = extended.gid.or_else(|| id(116..124)).ok_or_else(|| bad("group ID"))?;
        // An old writer's directory.
        if matches!(header.kind, 0 | b'0') && header.name.ends_with(b"/") {
            header.kind = b'5';
        }
        if matches!(header.kind, b'1'..=b'6') {
            header.size = 0;
        }
        header.real_size = header.size;
        if header.kind == b'S' {
            self.sparse(block, &mut header)?;
        }
        self.bytes = self.bytes.saturating_add(header.real_size);
        if self.bytes > self.limits.bytes {
            return Err(LayerError::Limit { what: "bytes", limit: self.limits.bytes });
        }
        self.left = header.size;
        self.padding = (BLOCK as u64 - header.size % BLOCK as u64) % BLOCK as u64;
        Ok(header)
    }

    /// The map of an old GNU sparse file: four parts in the header, 21 in each block after it.
    fn sparse(&mut self, block: &[u8; BLOCK], header: &mut Header) -> Result<(), LayerError> {
        let bad = |name: &[u8]| LayerError::entry(name, "its map of holes contradicts itself");
        header.real_size = unsigned(&block[483..495]).ok_or_else(|| bad(&header.name))?;
        let mut more = block[482] != 0;
        let mut fields = block[386..482].to_vec();
        loop {
            for part in fields.chunks_exact(24).filter(|part| part[0] != 0) {
                let parts = unsigned(&part[..12]).zip(unsigned(&part[12..]));
                header.sparse.push(parts.ok_or_else(|| bad(&header.name))?);
            }
            if !more {
                break;
            }
            let next = self.block()?.ok_or_else(truncated)?;
            more = next[504] != 0;
            fields = next[..504].to_vec();
            if header.sparse.len() > 1 << 20 {
                return Err(bad(&header.name));
            }
        }
        let mut at = 0;
        let mut sum: u64 = 0;
        for (offset, length) in &header.sparse {
            let end = offset.checked_add(*length).ok_or_else(|| bad(&header.name))?;
            if *offset < at || end > header.real_size {
                return Err(bad(&header.name));
            }
            at = end;
            sum += length;
        }
        if sum != header.size { Err(bad(&header.name)) } else { Ok(()) }
    }

    /// The size in a header whose checksum is right.
    fn checked(&self, block: &[u8; BLOCK]) -> Result<u64, LayerError> {
        let name = until_nul(&block[..100]);
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum::<u64>()
            - block[148..156].iter().map(|byte| u64::from(*byte)).sum::<u64>()
            + 8 * u64::from(b' ');
        if unsigned(&block[148..156]) != Some(sum) {
            return Err(LayerError::entry(name, "the tar header's checksum is wrong"));
        }
        unsigned(&block[124..136]).ok_or_else(|| LayerError::entry(name, "its size is no number"))
    }

    /// The whole content of an extended header.
    fn long(&mut self, size: u64) -> Result<Vec<u8>, LayerError> {
        if size > self.limits.header {
            return Err(LayerError::Limit { what: "bytes in an extended header", limit: self.limits.header });
        }
        self.left = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        let mut whole = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        loop {
            let part = self.content()?;
            if part.is_empty() {
                break;
            }
            whole.extend_from_slice(part);
        }
        self.skip_content()?;
        Ok(whole)
    }

    fn skip_content(&mut self) -> Result<(), LayerError> {
        self.left += std::mem::take(&mut self.padding);
        while self.left > 0 {
            self.content()?;
        }
        Ok(())
    }

    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, LayerError> {
        while self.end - self.start < BLOCK {
            if self.fill()? == 0 {
                return if self.start == self.end { Ok(None) } else { Err(truncated()) };
            }
        }
        let mut block = [0; BLOCK];
        block.copy_from_slice(&self.buffer[self.start..self.start + BLOCK]);
        self.start += BLOCK;
        Ok(Some(block))
    }

    fn fill(&mut self) -> Result<usize, LayerError> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        loop {
            match self.inner.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(stream_error("read")(error)),
            }
        }
    }
}

fn truncated() -> LayerError {
    stream_error("read")(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends inside an entry"))
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn unsigned(field: &[u8]) -> Option<u64> {
    number(field).and_then(|number| u64::try_from(number).ok())
}

/// Octal digits among blanks, or base 256 when the first bit is set.
fn number(field: &[u8]) -> Option<i64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let mut value: i128 = if first & 0x40 != 0 { -1 } else { 0 };
        value = value << 6 | i128::from(first & 0x3f);
        for byte in rest {
            value = value.checked_mul(256)? | i128::from(*byte);
        }
        return i64::try_from(value).ok();
    }
    let text = until_nul(field).trim_ascii();
    let mut value: i64 = 0;
    for digit in text {
        if !(b'0'..=b'7').contains(digit) {
            return None;
        }
        value = value.checked_mul(8)? + i64::from(digit - b'0');
    }
    Some(value)
}

/// A key and its value.
type Record<'b> = (&'b [u8], &'b [u8]);

/// The records of a PAX header. Values may hold any byte, ends of lines too.
pub(crate) fn records(mut records: &[u8]) -> Result<Vec<Record<'_>>, LayerError> {
    let bad = || LayerError::entry(b"PAX header", "its records do not read");
    let mut found = Vec::new();
    while !records.is_empty() {
        if records.iter().all(|byte| *byte == 0) {
            break;
        }
        let space = records.iter().take(20).position(|byte| *byte == b' ').ok_or_else(bad)?;
        let length: usize =
            std::str::from_utf8(&records[..space]).ok().and_then(|text| text.parse().ok()).ok_or_else(bad)?;
        if length <= space + 2 || length > records.len() || records[length - 1] != b'\n' {
            return Err(bad());
        }
        let record = &records[space + 1..length - 1];
        records = &records[length..];
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(bad)?;
        found.push((&record[..equals], &record[equals + 1..]));
    }
    Ok(found)
}

fn parse_records(bytes: &[u8], extended: &mut Extended) -> Result<(), LayerError> {
    let bad = || LayerError::entry(b"PAX header", "its records do not read");
    for (key, value) in records(bytes)? {
        let text = || std::str::from_utf8(value).map_err(|_| bad());
        match key {
            b"path" => extended.name = Some(value.to_vec()),
            b"linkpath" => extended.link = Some(value.to_vec()),
            b"size" => extended.size = Some(text()?.parse().map_err(|_| bad())?),
            b"uid" => extended.uid = Some(text()?.parse().map_err(|_| bad())?),
            b"gid" => extended.gid = Some(text()?.parse().map_err(|_| bad())?),
            b"mtime" => {
                let (whole, fraction) = text()?.split_once('.').unwrap_or((text()?, ""));
                let seconds: i64 = whole.parse().map_err(|_| bad())?;
                let below = whole.starts_with('-') && fraction.bytes().any(|digit| digit != b'0');
                extended.mtime = Some(if below { seconds.saturating_sub(1) } else { seconds });
            }
            b"GNU.sparse.major" | b"GNU.sparse.map" => {
                return Err(LayerError::entry(b"PAX header", "sparse files in PAX form are not supported"));
            }
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    extended.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
        }
    }
    Ok(())
}
