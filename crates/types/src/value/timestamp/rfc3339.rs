//! Instants as text: RFC 3339.

use std::fmt;
use std::str::FromStr;

use super::Timestamp;
use super::civil::Date;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// Text that isn't an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// It doesn't look like one.
    #[error("not an RFC 3339 instant such as 2026-01-31T12:00:00Z: byte {at} isn't as expected")]
    Malformed {
        /// The first byte that doesn't fit, from 0.
        at: usize,
    },
    /// The calendar has no such day, or the clock no such time.
    #[error("no such date or time")]
    NoSuchTime,
    /// The instant is more than 292,000 years away.
    #[error("outside the years -290308 to 294247")]
    OutOfRange,
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Date { year, month, day } = Date::from_days(self.0.div_euclid(MICROS_PER_DAY));
        let micros = self.0.rem_euclid(MICROS_PER_DAY);
        let seconds = micros / MICROS_PER_SECOND;
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        if (0..=9_999).contains(&year) {
            write!(f, "{year:04}")?;
        } else {
            write!(f, "{year:+07}")?;
        }
        write!(f, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match micros % MICROS_PER_SECOND {
            0 => {}
            fraction if fraction % 1_000 == 0 => write!(f, ".{:03}", fraction / 1_000)?,
            fraction => write!(f, ".{fraction:06}")?,
        }
        f.write_str("Z")
    }
}

/// Reads RFC 3339 with any offset. What is finer than a microsecond is dropped; a leap second is the second after it.
impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let mut cursor = Cursor { text: text.as_bytes(), at: 0 };
        let days = cursor.date()?.to_days().ok_or(TimestampError::NoSuchTime)?;
        cursor.one_of(b"Tt ")?;
        let time = cursor.time()?;
        let offset = cursor.offset()?;
        if cursor.at < text.len() {
            return Err(cursor.malformed());
        }
        // Years have six digits at most: days * MICROS_PER_DAY stays far within an i128.
        let micros = i128::from(days) * i128::from(MICROS_PER_DAY) + i128::from(time) - i128::from(offset);
        i64::try_from(micros).map(Self).map_err(|_| TimestampError::OutOfRange)
    }
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn malformed(&self) -> TimestampError {
        TimestampError::Malformed { at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn one_of(&mut self, allowed: &[u8]) -> Result<u8, TimestampError> {
        match self.peek() {
            Some(byte) if allowed.contains(&byte) => {
                self.at += 1;
                Ok(byte)
            }
            _ => Err(self.malformed()),
        }
    }

    fn digit(&mut self) -> Result<i64, TimestampError> {
        self.one_of(b"0123456789").map(|digit| i64::from(digit - b'0'))
    }

    fn number(&mut self, digits: usize) -> Result<i64, TimestampError> {
        (0..digits).try_fold(0, |number, _| Ok(number * 10 + self.digit()?))
    }

    /// A number below `limit`.
    fn below(&mut self, limit: i64, digits: usize) -> Result<i64, TimestampError> {
        let number = self.number(digits)?;
        if number < limit { Ok(number) } else { Err(TimestampError::NoSuchTime) }
    }

    fn year(&mut self) -> Result<i64, TimestampError> {
        match self.one_of(b"+-") {
            Ok(b'-') => Ok(-self.number(6)?),
            Ok(_) => self.number(6),
            Err(_) => self.number(4),
        }
    }

    fn date(&mut self) -> Result<Date, TimestampError> {
        let year = self.year()?;
        self.one_of(b"-")?;
        let month = self.number(2)?;
        self.one_of(b"-")?;
        let day = self.number(2)?;
        Ok(Date { year, month, day })
    }

    /// Microseconds since midnight.
    fn time(&mut self) -> Result<i64, TimestampError> {
        let hour = self.below(24, 2)?;
        self.one_of(b":")?;
        let minute = self.below(60, 2)?;
        self.one_of(b":")?;
        let second = self.below(61, 2)?;
        let fraction = if self.one_of(b".").is_ok() { self.fraction()? } else { 0 };
        Ok((hour * 3_600 + minute * 60 + second) * MICROS_PER_SECOND + fraction)
    }

    /// Microseconds; at least one digit, and any number of them.
    fn fraction(&mut self) -> Result<i64, TimestampError> {
        let mut unit = MICROS_PER_SECOND / 10;
        let mut micros = self.digit()? * unit;
        while let Ok(digit) = self.digit() {
            unit /= 10;
            micros += digit * unit;
        }
        Ok(micros)
    }

    /// How far local time is ahead of UTC, in microseconds.
    fn offset(&mut self) -> Result<i64, TimestampError> {
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Ok(0),
        };
        let hours = self.below(24, 2)?;
        self.one_of(b":")?;
        let minutes = self.below(60, 2)?;
        Ok(sign * (hours * 3_600 + minutes * 60) * MICROS_PER_SECOND)
    }
}
