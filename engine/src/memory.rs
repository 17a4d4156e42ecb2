//! How much memory the machine has.

use std::fs;
use std::sync::OnceLock;

/// The bytes of memory of this machine; none where the system does not say.
pub fn of_machine() -> Option<u64> {
    static TOTAL: OnceLock<Option<u64>> = OnceLock::new();
    *TOTAL.get_or_init(|| total(&fs::read_to_string("/proc/meminfo").ok()?))
}

/// The bytes in the line `MemTotal:       24612204 kB`.
fn total(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_in_bytes() {
        let text = "MemTotal:       24612204 kB\nMemFree:         1042680 kB\n";
        assert_eq!(total(text), Some(24_612_204 * 1024));
        assert_eq!(total("MemFree: 1 kB"), None);
    }
}
