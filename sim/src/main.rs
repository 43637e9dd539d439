mod net;
fn main() {}
