//! Lines of a file or of standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use squall::Code;

use super::post::BadLine;

/// An input that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It can't be opened.
    #[error("can't open {}", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It is a directory.
    #[error("{} is a directory, not a file of posts", path.display())]
    Directory { path: PathBuf },
}

impl OpenError {
    /// The error's stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Open { .. } => Code::new(3101),
            Self::Directory { .. } => Code::new(3102),
        }
    }
}

/// An open input, shared so that a spout that starts anew reads on where the last one was.
#[derive(Clone)]
pub struct Input {
    lines: Arc<Mutex<Lines>>,
}

impl Input {
    /// Opens a file; `-` is standard input.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        if path == Path::new("-") {
            return Ok(Self::new(io::stdin()));
        }
        let failed = |source| OpenError::Open { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(OpenError::Directory { path: path.to_owned() });
        }
        Ok(Self::new(file))
    }

    /// Reads from anything.
    pub fn new(from: impl Read + Send + 'static) -> Self {
        let reader = BufReader::with_capacity(1 << 16, Box::new(from) as Box<dyn Read + Send>);
        Self { lines: Arc::new(Mutex::new(Lines { reader, line: Vec::new(), number: 0 })) }
    }

    pub fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line's number, from 1, and the line without its end, if it isn't too long.
pub type Line<'a> = (u64, Result<&'a [u8], BadLine>);

/// Lines, counted.
pub struct Lines {
    reader: BufReader<Box<dyn Read + Send>>,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    /// A longer line is none of ours, and shouldn't take up the memory.
    pub const LONGEST: usize = 1 << 20;

    /// The next line; `None` at the end of the input.
    pub fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let limit = Self::LONGEST as u64 + 1;
        if self.reader.by_ref().take(limit).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.line.pop_if(|byte| *byte == b'\n').is_none() && self.line.len() > Self::LONGEST {
            self.reader.skip_until(b'\n')?;
            return Ok(Some((self.number, Err(BadLine::TooLong(Self::LONGEST)))));
        }
        Ok(Some((self.number, Ok(&self.line))))
    }

    /// Whether the next line is here already, so that reading it can't block.
    pub fn is_ready(&self) -> bool {
        self.reader.buffer().contains(&b'\n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: Vec<u8>) -> Vec<(u64, Option<usize>)> {
        let (input, mut found) = (Input::new(io::Cursor::new(text)), Vec::new());
        while let Some((number, line)) = input.lock().next().unwrap() {
            found.push((number, line.ok().map(<[u8]>::len)));
        }
        found
    }

    #[test]
    fn lines_are_counted_and_the_last_needs_no_end() {
        assert_eq!(read(b"one\n\nthree".to_vec()), [(1, Some(3)), (2, Some(0)), (3, Some(5))]);
        assert_eq!(read(b"one\n".to_vec()), [(1, Some(3))]);
        assert_eq!(read(Vec::new()), []);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_whole() {
        let mut text = vec![b'x'; Lines::LONGEST];
        text.extend(b"\n");
        text.extend(vec![b'y'; Lines::LONGEST + 1]);
        text.extend(b"\n");
        text.extend(vec![b'y'; 3 * Lines::LONGEST]);
        text.extend(b"\nend\n");
        assert_eq!(read(text), [(1, Some(Lines::LONGEST)), (2, None), (3, None), (4, Some(3))]);
    }
}
