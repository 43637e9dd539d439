//! Lines of a file or of standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
        let failed = |source| OpenError::Open { path: path.to_owned(), source };
        if path == Path::new("-") {
            let ready = Ready::of(&io::stdin()).map_err(failed)?;
            return Ok(Self::new(io::stdin(), ready));
        }
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(OpenError::Directory { path: path.to_owned() });
        }
        let ready = Ready::of(&file).map_err(failed)?;
        Ok(Self::new(file, ready))
    }

    /// Reads from anything.
    pub fn new(from: impl Read + Send + 'static, ready: Ready) -> Self {
        let reader = BufReader::with_capacity(1 << 16, Box::new(from) as Box<dyn Read + Send>);
        let lines = Lines { reader, ready, line: Vec::new(), is_whole: true, number: 0 };
        Self { lines: Arc::new(Mutex::new(lines)) }
    }

    pub fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What reading gives.
pub enum Next<'a> {
    /// A line's number, from 1, and the line without its end, if it isn't too long.
    Line(u64, Result<&'a [u8], BadLine>),
    /// No whole line has come.
    Nothing,
    End,
}

/// Lines, counted.
pub struct Lines {
    reader: BufReader<Box<dyn Read + Send>>,
    ready: Ready,
    /// The line so far; longer than the longest if it is too long.
    line: Vec<u8>,
    /// Nothing of the next line has come.
    is_whole: bool,
    number: u64,
}

impl Lines {
    /// A longer line is none of ours, and shouldn't take up the memory.
    pub const LONGEST: usize = 1 << 20;

    /// The next line, if it comes within `patience` or, in pieces, a piece at a time within it.
    pub fn next(&mut self, patience: Duration) -> io::Result<Next<'_>> {
        if std::mem::replace(&mut self.is_whole, false) {
            self.line.clear();
            self.number += 1;
        }
        loop {
            if self.reader.buffer().is_empty() && !self.ready.within(patience)? {
                return Ok(Next::Nothing);
            }
            let come = self.reader.fill_buf()?;
            if come.is_empty() {
                // The last line may lack its end.
                self.is_whole = !self.line.is_empty();
                return Ok(if self.is_whole { self.whole() } else { Next::End });
            }
            let end = come.iter().position(|byte| *byte == b'\n');
            let piece = &come[..end.unwrap_or(come.len())];
            let room = (Self::LONGEST + 1).saturating_sub(self.line.len());
            self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            let taken = piece.len() + usize::from(end.is_some());
            self.reader.consume(taken);
            if end.is_some() {
                self.is_whole = true;
                return Ok(self.whole());
            }
        }
    }

    fn whole(&self) -> Next<'_> {
        let line = Some(&*self.line).filter(|line| line.len() <= Self::LONGEST);
        Next::Line(self.number, line.ok_or(BadLine::TooLong(Self::LONGEST)))
    }

    /// Whether the next line is here already, so that reading it can't block.
    pub fn is_ready(&self) -> bool {
        self.reader.buffer().contains(&b'\n')
    }
}

/// Waits until an input has something to read, so that nobody hangs on one that says nothing.
#[derive(Default)]
pub struct Ready {
    #[cfg(unix)]
    input: Option<std::os::fd::OwnedFd>,
}

impl Ready {
    #[cfg(unix)]
    fn of(input: &impl std::os::fd::AsFd) -> io::Result<Self> {
        Ok(Self { input: Some(input.as_fd().try_clone_to_owned()?) })
    }

    #[cfg(not(unix))]
    fn of<T>(_: &T) -> io::Result<Self> {
        Ok(Self::default())
    }

    /// Whether there is something, or the end, by then.
    #[cfg(unix)]
    fn within(&self, patience: Duration) -> io::Result<bool> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let Some(input) = &self.input else { return Ok(true) };
        let limit = Timespec::try_from(patience).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(input, PollFlags::IN)], Some(&limit)) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(unix))]
    fn within(&self, _: Duration) -> io::Result<bool> {
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(text: Vec<u8>) -> Vec<(u64, Option<usize>)> {
        let (input, mut found) = (Input::new(io::Cursor::new(text), Ready::default()), Vec::new());
        while let Next::Line(number, line) = input.lock().next(Duration::ZERO).unwrap() {
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

    #[test]
    #[cfg(unix)]
    fn a_line_that_comes_in_pieces_is_waited_for_without_hanging() {
        let (from, mut to) = io::pipe().unwrap();
        let ready = Ready::of(&from).unwrap();
        let input = Input::new(from, ready);
        let mut lines = input.lock();
        assert!(matches!(lines.next(Duration::ZERO).unwrap(), Next::Nothing));
        to.write_all(b"one, ").unwrap();
        assert!(matches!(lines.next(Duration::ZERO).unwrap(), Next::Nothing));
        to.write_all(b"two\nthree").unwrap();
        assert!(matches!(lines.next(Duration::ZERO).unwrap(), Next::Line(1, Ok(b"one, two"))));
        assert!(matches!(lines.next(Duration::ZERO).unwrap(), Next::Nothing));
        drop(to);
        assert!(matches!(lines.next(Duration::ZERO).unwrap(), Next::Line(2, Ok(b"three"))));
        assert!(matches!(lines.next(Duration::ZERO).unwrap(), Next::End));
    }
}
