//! What a frame is, to the byte; that everything comes back as it was; and that no bytes do harm.

mod golden;
mod hostile;
mod limits;
mod made;
mod round_trip;
