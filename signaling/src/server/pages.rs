//! The demo page and the SDK, embedded in the binary; from a folder on disk while they are being worked on.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};

/// (path with a leading slash, bytes); made by `build.rs`.
static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// Nothing but our own scripts and styles; sockets to anywhere, because an app may use another server.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; \
     media-src 'self' blob:; style-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; \
     frame-ancestors 'none'";

pub(super) enum Pages {
    Embedded(BTreeMap<&'static str, &'static [u8]>),
    /// Read anew for every request.
    Folder(PathBuf),
}

impl Pages {
    pub fn embedded() -> Self {
        Self::Embedded(EMBEDDED.iter().copied().collect())
    }

    /// `path` as in the URL, without query. None of its segments may leave the folder.
    fn find(&self, path: &str) -> Option<Vec<u8>> {
        let path = if path == "/" { "/index.html" } else { path };
        match self {
            Self::Embedded(files) => files.get(path).map(|bytes| bytes.to_vec()),
            Self::Folder(folder) => {
                let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
                let is_plain =
                    |s: &&str| !s.is_empty() && !s.starts_with('.') && !s.contains(['\\', '\0', ':', '%']);
                if !segments.iter().all(is_plain) {
                    return None;
                }
                std::fs::read(segments.iter().fold(folder.clone(), |path, s| path.join(s))).ok()
            }
        }
    }

    pub fn respond(&self, path: &str, request: &HeaderMap) -> Response<Body> {
        let Some(bytes) = self.find(path) else {
            let mut response = Response::new(Body::from("there is nothing here\n"));
            *response.status_mut() = StatusCode::NOT_FOUND;
            return response;
        };
        // Unchanged files are not sent again; a hash that only has to differ when the file does.
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let tag = format!("\"{:016x}\"", hasher.finish());
        let is_known =
            request.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
        let mut response = Response::new(if is_known { Body::empty() } else { Body::from(bytes) });
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        let file = if path == "/" { "index.html" } else { path };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(Path::new(file))));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(header::ETAG, tag);
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
        response
    }
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "wav" => "audio/wav",
        "ts" | "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_never_left() {
        let pages = Pages::Folder(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
        assert!(pages.find("/main.rs").is_some());
        for path in
            ["/../Cargo.toml", "/server/../../Cargo.toml", "//etc/passwd", "/%2e%2e/Cargo.toml", "main.rs"]
        {
            assert!(pages.find(path).is_none(), "{path}");
        }
        assert!(pages.find("/server").is_none(), "a folder is no file");
    }

    #[test]
    fn an_unchanged_page_is_not_sent_again() {
        let pages = Pages::Folder(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
        let first = pages.respond("/main.rs", &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        let mut again = HeaderMap::new();
        again.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(pages.respond("/main.rs", &again).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(pages.respond("/nothing", &again).status(), StatusCode::NOT_FOUND);
    }
}
