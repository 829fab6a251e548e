//! Memory that will be needed in a moment, asked for now: of hundreds of subscribers none is left in the processor's cache when its turn
//! comes, and waiting for it line by line costs more than everything that is done with it.

use prefetch_index::prefetch_index;
use std::slice::from_ref;

const LINE: usize = 64;

/// The line that a value begins in.
pub fn line<T>(value: &T) {
    prefetch_index(from_ref(value), 0);
}

/// All lines of a value of `len` bytes; `flag` is a part of it, `offset` bytes from its start.
pub fn whole(flag: &bool, offset: usize, len: usize) {
    for at in (0..len).step_by(LINE) {
        prefetch_index(from_ref(flag), at.wrapping_sub(offset));
    }
}

/// The start of a list, also of an empty one.
pub fn start<T>(list: &[T]) {
    prefetch_index(list, 0);
}

/// The end of a list, where the next value goes.
pub fn end<T>(list: &std::collections::VecDeque<T>) {
    if let Some(last) = list.back() {
        prefetch_index(from_ref(last), 1);
    }
}
