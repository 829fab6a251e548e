//! Names of rooms and people: shown to others, so they must be printable and short.

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadName {
    #[error("it is empty")]
    Empty,
    #[error("it is longer than {0} characters")]
    TooLong(usize),
    #[error("it contains a control character")]
    Control,
}

/// The name without surrounding white space. Case is kept: `Demo` and `demo` are two rooms.
pub fn clean_name(text: &str, chars_max: usize) -> Result<String, BadName> {
    let name = text.trim();
    if name.is_empty() {
        return Err(BadName::Empty);
    }
    // Direction overrides can make one name look like another; line separators break logs.
    let refused = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if name.chars().any(refused) {
        return Err(BadName::Control);
    }
    if name.chars().count() > chars_max {
        return Err(BadName::TooLong(chars_max));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surrounding_space_goes_and_the_rest_stays() {
        assert_eq!(clean_name("  Zoë van  Dam ", 64).unwrap(), "Zoë van  Dam");
        assert_eq!(clean_name("会议室", 3).unwrap(), "会议室");
    }

    #[test]
    fn a_name_nobody_can_read_is_refused() {
        assert_eq!(clean_name(" \t ", 64), Err(BadName::Empty));
        assert_eq!(clean_name("a\nb", 64), Err(BadName::Control));
        assert_eq!(clean_name("a\u{202e}b", 64), Err(BadName::Control));
        assert_eq!(clean_name("abcd", 3), Err(BadName::TooLong(3)));
    }
}
