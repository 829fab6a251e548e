//! The page of the rows in real Chromium: the SDK with ours beside it.

use crate::chromium::Site;
use anyhow::Result;
use measure::page::Page;
use std::path::Path;

pub fn site() -> Result<Site> {
    Site::new(&[
        ("adapt.html", include_str!("page.html")),
        ("adapt.js", include_str!("page.js")),
        ("onset.js", include_str!("onset.js")),
    ])
}

pub async fn open(browser: &Path, url: &str, site: &Site) -> Result<Page> {
    Page::open(browser, site, &[], |socket| format!("{url}/adapt.html?bench={socket}")).await
}
