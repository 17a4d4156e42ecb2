//! farcast
fn main() {}
