//! What every measurement of this project shares: figures as a table and as JSON, speech and its scores, a headless browser.
//!
//! It measures nothing itself and knows none of our other crates.

pub mod chromium;
pub mod page;
pub mod report;
pub mod score;
pub mod speech;
