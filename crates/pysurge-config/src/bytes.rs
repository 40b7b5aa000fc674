//! Base64 for `!!binary`, as lenient as Python's `base64.decodebytes`: whatever is not of the alphabet is skipped.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes behind a text; `None` where its padding is wrong.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut sextets, mut padding) = (0u32, 0u32, 0u32);
    for byte in text.bytes() {
        if byte == b'=' {
            // A padded group ends the data; what follows is ignored, as Python does.
            padding += 1;
            if sextets >= 2 && sextets + padding == 4 {
                break;
            }
            continue;
        }
        let Some(value) = ALPHABET.iter().position(|letter| *letter == byte) else {
            continue;
        };
        padding = 0;
        group = group << 6 | u32::try_from(value).expect("below 64");
        sextets += 1;
        if sextets == 4 {
            bytes.extend_from_slice(&group.to_be_bytes()[1..]);
            (group, sextets) = (0, 0);
        }
    }
    match (sextets, padding) {
        (0, _) => {}
        (2, 2) => bytes.push((group << 12).to_be_bytes()[1]),
        (3, 1) => bytes.extend_from_slice(&(group << 6).to_be_bytes()[1..3]),
        _ => return None,
    }
    Some(bytes)
}

/// The text for bytes, on one line.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |i: usize| chunk.get(i).copied().map_or(0, u32::from);
        let group = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            if place <= chunk.len() {
                let sextet = group >> (18 - 6 * place) & 0x3f;
                text.push(char::from(ALPHABET[usize::try_from(sextet).expect("below 64")]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_rfc_4648() {
        let table = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, base64) in table {
            assert_eq!(to_base64(plain.as_bytes()), base64);
            assert_eq!(from_base64(base64).unwrap(), plain.as_bytes());
        }
    }

    #[test]
    fn wrong_padding_is_refused() {
        for text in ["Zg", "Zg=", "Z", "Z===", "Zm8"] {
            assert_eq!(from_base64(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn bytes_survive(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            prop_assert_eq!(from_base64(&to_base64(&bytes)), Some(bytes));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            from_base64(&text);
        }
    }
}
