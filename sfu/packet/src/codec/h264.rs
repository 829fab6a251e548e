//! Being built.
/// Being built.
pub fn is_keyframe_start(_payload: &[u8]) -> bool {
    false
}
