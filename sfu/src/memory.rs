//! Gives pages back to the system that nobody uses any more: connecting and the first pictures take more than what stays of them, and
//! an allocator keeps what it once had. What a large server keeps lies in large pages: of hundreds of participants each has a dozen small
//! ones, and where each lies would be looked up for nearly every packet.

use std::ops::Range;
use std::time::{Duration, Instant};

/// When to look for such pages: a while after somebody came or left.
#[derive(Debug, Default)]
pub struct Surplus {
    due: Option<Instant>,
    looks_left: u8,
}

/// A start is over by then. Looking takes a tenth of a millisecond for a class.
const AFTER: Duration = Duration::from_secs(5);
/// By the second look the caches have let go of what they keep only while a link is new.
const LOOKS: u8 = 2;
/// What is longer has pages of its own, which go back with it: what grows by copying leaves no holes that nothing else fits.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const PAGES_FROM: libc::c_int = 32 << 10;

impl Surplus {
    /// Somebody came or left.
    pub fn on_change(&mut self, now: Instant) {
        self.due.get_or_insert(now + AFTER);
        self.looks_left = LOOKS;
    }

    pub fn give_back(&mut self, now: Instant) {
        if self.due.is_some_and(|due| now >= due) {
            self.looks_left = self.looks_left.saturating_sub(1);
            self.due = (self.looks_left > 0).then_some(now + AFTER);
            trim();
            heaps().iter().for_each(allow_large);
        }
    }
}

/// Of smaller heaps too much would be rounded up.
const LARGE_FROM: usize = 8 << 20;
/// The allocator reserves so much for a heap of a thread's, at a multiple of it.
const HEAP_RESERVED: usize = 64 << 20;

/// Where the allocator has heaps that are large.
fn heaps() -> Vec<Range<usize>> {
    std::fs::read_to_string("/proc/self/maps").map(|maps| large_heaps(&maps)).unwrap_or_default()
}

/// In the kernel's list of what a process has mapped; see `man 5 proc_pid_maps`.
fn large_heaps(maps: &str) -> Vec<Range<usize>> {
    let heap = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (from, to) = fields.next()?.split_once('-')?;
        let range = usize::from_str_radix(from, 16).ok()?..usize::from_str_radix(to, 16).ok()?;
        let (rights, inode) = (fields.next()?, fields.nth(2)?);
        let is_heap = match fields.next() {
            Some(name) => name == "[heap]",
            None => range.start.is_multiple_of(HEAP_RESERVED),
        };
        (rights == "rw-p" && inode == "0" && is_heap && range.len() >= LARGE_FROM).then_some(range)
    };
    maps.lines().filter_map(heap).collect()
}

/// For the whole process, before there is much in it.
pub fn keep_long_ones_apart() {
    // SAFETY: it sets a number of the allocator's, under its own lock.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, PAGES_FROM);
    }
}

fn trim() {
    // SAFETY: it takes the allocator's own locks, and touches nothing that is in use.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// What is used of a heap from now on is in large pages, also what is reserved behind a thread's; what is there the kernel moves into some
/// by and by. To ask for that at once took 3 ms a page, on the thread that sends. Where the system has none, or has them by itself, everything
/// stays as it is.
fn allow_large(heap: &Range<usize>) {
    let reserved = heap.start.is_multiple_of(HEAP_RESERVED);
    let len = if reserved { HEAP_RESERVED } else { heap.len() };
    // SAFETY: it changes how pages are mapped, not what is in them; of what is not mapped any more the kernel says so.
    unsafe {
        libc::madvise(std::ptr::without_provenance_mut(heap.start), len, libc::MADV_HUGEPAGE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heaps_are_found_among_what_is_mapped() {
        let maps = "\
55d0c0000000-55d0c1000000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000a00000 rw-p 00000000 00:00 0 
7f0000a00000-7f0004000000 ---p 00000000 00:00 0 
7f0008000000-7f0008021000 rw-p 00000000 00:00 0 
7f000c001000-7f000cc01000 rw-p 00000000 00:00 0 
7f0010000000-7f0011000000 rw-p 00000000 fd:00 1234                       /somewhere/a file
7ffc00000000-7ffc00900000 rw-p 00000000 00:00 0                          [stack]
not a line
";
        assert_eq!(
            large_heaps(maps),
            [0x55d0_c000_0000..0x55d0_c100_0000, 0x7f00_0000_0000..0x7f00_00a0_0000]
        );
        assert!(large_heaps("").is_empty());
    }

    #[test]
    fn after_a_change_is_looked_twice_and_then_no_more() {
        let (mut surplus, start) = (Surplus::default(), Instant::now());
        surplus.on_change(start);
        surplus.on_change(start + AFTER / 2);
        let looks = |surplus: &mut Surplus, from: Duration| {
            let due = surplus.due;
            surplus.give_back(start + from);
            due != surplus.due
        };
        let seen =
            [AFTER / 2, AFTER, AFTER * 3 / 2, AFTER * 2, AFTER * 9].map(|from| looks(&mut surplus, from));
        assert_eq!(seen, [false, true, false, true, false]);
    }

    #[test]
    fn what_lies_in_a_heap_stays_as_it_was() {
        // Large enough to be mapped by itself: a stand-in for a heap.
        let bytes: Vec<u8> = (0..LARGE_FROM).map(|i| (i / 4096) as u8).collect();
        let start = (bytes.as_ptr() as usize).next_multiple_of(4096);
        allow_large(&(start..start + LARGE_FROM - 4096));
        assert!(bytes.iter().enumerate().all(|(i, byte)| *byte == (i / 4096) as u8));
        // What is not mapped is no harm.
        allow_large(&(4096..8192));
        assert!(heaps().iter().all(|heap| heap.len() >= LARGE_FROM));
    }
}
