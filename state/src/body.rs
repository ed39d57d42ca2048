//! What a service has sent.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use md5::{Digest, Md5};
pub use net::Bytes;

/// The longest snapshot that is taken from a service, in bytes: more than S3 stores by one request.
pub const LONGEST_STATE: u64 = 5 << 30;

/// How much is kept together.
const CHUNK: usize = 256 << 10;

/// Bytes that arrive in pieces, by being written here, and are let go of as they are read: what is made of them takes their
/// place.
#[derive(Debug, Default)]
pub struct Body {
    chunks: VecDeque<Vec<u8>>,
    /// What is read already of the first one.
    read: usize,
}

impl Body {
    /// What was not read yet, in pieces.
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let first = self.chunks.front().and_then(|chunk| chunk.get(self.read..));
        first.into_iter().chain(self.chunks.iter().skip(1).map(Vec::as_slice))
    }

    /// The MD5 of what was not read yet, by which services tell whether it is whole.
    pub fn md5(&self) -> [u8; 16] {
        let mut digest = Md5::new();
        self.chunks().for_each(|chunk| digest.update(chunk));
        digest.finalize().into()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.chunks().all(<[u8]>::is_empty)
    }

    /// All of it together.
    pub fn into_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.chunks().for_each(|chunk| bytes.extend_from_slice(chunk));
        bytes
    }
}

impl PartialEq<[u8]> for Body {
    fn eq(&self, other: &[u8]) -> bool {
        let mut rest = other;
        for chunk in self.chunks() {
            match rest.strip_prefix(chunk) {
                Some(behind) => rest = behind,
                None => return false,
            }
        }
        rest.is_empty()
    }
}

impl Write for Body {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.chunks.back_mut() {
            Some(last) if last.len() + bytes.len() <= last.capacity() => last.extend_from_slice(bytes),
            _ => {
                let mut chunk = Vec::with_capacity(bytes.len().max(CHUNK));
                chunk.extend_from_slice(bytes);
                self.chunks.push_back(chunk);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(first) = self.chunks.front() {
            let rest = first.get(self.read..).unwrap_or_default();
            if rest.is_empty() {
                self.chunks.pop_front();
                self.read = 0;
                continue;
            }
            let length = rest.len().min(buffer.len());
            if let (Some(place), Some(bytes)) = (buffer.get_mut(..length), rest.get(..length)) {
                place.copy_from_slice(bytes);
            }
            self.read += length;
            return Ok(length);
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_once() {
        let mut body = Body::default();
        assert!(body.is_empty());
        let long = vec![b'x'; CHUNK + 1];
        for piece in [b"ab".as_slice(), b"", b"cd", &long, b"e"] {
            body.write_all(piece).unwrap();
        }
        let all = [b"abcd".as_slice(), &long, b"e"].concat();
        assert!(body == *all && body != all[1..] && body != [all.as_slice(), b"f"].concat()[..]);
        let mut head = [0; 3];
        body.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"abc");
        assert!(body == all[3..]);
        let mut rest = Vec::new();
        body.read_to_end(&mut rest).unwrap();
        assert!(rest == all[3..] && body.is_empty());
    }
}
