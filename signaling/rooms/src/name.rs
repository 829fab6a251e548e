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

/// Between the name of a room and that of its group. No name of a room may hold it, so that groups are entered by being moved alone.
const SEPARATOR: char = '\u{1f}';

/// The room of a group is called like the room that has it, and like the group.
pub(crate) fn group_name(main: &str, group: &str) -> String {
    format!("{main}{SEPARATOR}{group}")
}

/// The name of the room that this is the name of a group of, or itself.
pub fn main_name(room: &str) -> &str {
    room.split(SEPARATOR).next().unwrap_or(room)
}

/// As [`clean_name`], of a room or of a group of one.
pub fn clean_room_name(text: &str, chars_max: usize) -> Result<String, BadName> {
    match text.split_once(SEPARATOR) {
        Some((main, group)) => Ok(group_name(&clean_name(main, chars_max)?, &clean_name(group, chars_max)?)),
        None => clean_name(text, chars_max),
    }
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
