//! Workers and their slots as real processes: a topology runs on several, and goes on when they die.

mod books;
mod deaths;
mod life;
