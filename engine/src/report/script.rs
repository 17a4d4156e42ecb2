//! The one script of our pages: it sorts tables. Pages are complete without it.

/// The script.
pub const SORT_TABLES: &str = include_str!("../../templates/tables.js");

/// What allows this script and no other (Content Security Policy, level 2): its SHA-256.
pub const POLICY: &str = "'sha256-GLaobJmQavw8nfxcTu+32CikR7Jx88cI+qz/OkDoCGs='";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_that_of_the_script() {
        use sha2::{Digest, Sha256};
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digest = Sha256::digest(SORT_TABLES.as_bytes());
        let mut text = String::new();
        for three in digest.chunks(3) {
            let mut bits = [0; 4];
            bits[1..=three.len()].copy_from_slice(three);
            let bits = u32::from_be_bytes(bits);
            for place in 0..4 {
                let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
                text.push(if place > three.len() {
                    '='
                } else {
                    digit.into()
                });
            }
        }
        assert_eq!(POLICY, format!("'sha256-{text}'"));
        assert!(!SORT_TABLES.contains("</"));
    }
}
