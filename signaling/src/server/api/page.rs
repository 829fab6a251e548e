//! The OpenAPI document as one page for people: no script, nothing from elsewhere.

use std::fmt::Write;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;
use utoipa::openapi::OpenApi;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}\
code,pre{font:14px/1.5 ui-monospace,monospace;background:#f2f4f7;border-radius:4px;padding:.1em .3em}pre{padding:.8em;overflow-x:auto}\
summary{cursor:pointer;padding:.4rem 0}summary b{display:inline-block;min-width:4.5rem}table{border-collapse:collapse}\
td,th{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0}details>div{margin:0 0 1rem 1rem}\
@media(prefers-color-scheme:dark){body{color:#e6e8eb;background:#15181c}code,pre{background:#23282f}a{color:#8ab4f8}}";

const POLICY: (HeaderName, HeaderValue) = (
    header::CONTENT_SECURITY_POLICY,
    HeaderValue::from_static(
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    ),
);

/// Path, method, and what the document says of it.
type Operation<'a> = (&'a str, &'a str, &'a Value);

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

pub(super) fn respond(document: &OpenApi) -> Response {
    match serde_json::to_value(document) {
        Ok(document) => ([POLICY], Html(render(&document))).into_response(),
        Err(error) => {
            tracing::error!(%error, "the API's document cannot be written");
            axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What is not there is left out.
fn render(document: &Value) -> String {
    let text = |value: &Value| escape(value.as_str().unwrap_or_default());
    let info = &document["info"];
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{0}</title><style>{STYLE}</style><main><h1>{0} {1}</h1><p>{2}</p>\
         <p><a href=\"/v1/openapi.json\">openapi.json</a></p>",
        text(&info["title"]),
        text(&info["version"]),
        text(&info["description"]),
    );
    let mut tags: Vec<(&str, Vec<Operation<'_>>)> = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            let tag = operation["tags"][0].as_str().unwrap_or_default();
            let entry = (path.as_str(), method, operation);
            match tags.iter_mut().find(|(known, _)| *known == tag) {
                Some((_, operations)) => operations.push(entry),
                None => tags.push((tag, vec![entry])),
            }
        }
    }
    for (tag, operations) in tags {
        let _ = write!(page, "<h2>{}</h2>", escape(tag));
        for (path, method, operation) in operations {
            render_operation(&mut page, path, method, operation);
        }
    }
    page.push_str("<h2>Shapes</h2>");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        let name = escape(name);
        let _ = write!(
            page,
            "<details id=\"{name}\"><summary><code>{name}</code> {}</summary><div>{}</div></details>",
            text(&schema["description"]),
            pretty(schema)
        );
    }
    page.push_str("</main></html>");
    page
}

fn render_operation(page: &mut String, path: &str, method: &str, operation: &Value) {
    let summary = operation["summary"].as_str().unwrap_or_default();
    let _ = write!(
        page,
        "<details><summary><b>{}</b> <code>{}</code> {}</summary><div>",
        method.to_uppercase(),
        escape(path),
        escape(summary)
    );
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let rows: Vec<String> = parameters
        .map(|p| {
            let text = |key: &str| escape(p[key].as_str().unwrap_or_default());
            format!("<tr><td><code>{}</code><td>{}<td>{}", text("name"), text("in"), text("description"))
        })
        .collect();
    if !rows.is_empty() {
        let _ = write!(page, "<table><tr><th>parameter<th>where<th>what{}</table>", rows.concat());
    }
    for (kind, body) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
        let _ = write!(page, "<p>Body: {} {}</p>", escape(kind), shape(&body["schema"]));
    }
    page.push_str("<table><tr><th>status<th>answer");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let _ = write!(
            page,
            "<tr><td>{}<td>{}",
            escape(status),
            escape(response["description"].as_str().unwrap_or_default())
        );
        for (kind, body) in response["content"].as_object().into_iter().flatten() {
            let _ = write!(page, " {} {}", escape(kind), shape(&body["schema"]));
        }
    }
    page.push_str("</table></div></details>");
}

/// A name with a way to its description where it has one.
fn shape(schema: &Value) -> String {
    let name = |schema: &Value| {
        let name = schema["$ref"].as_str()?.rsplit('/').next()?;
        Some(format!("<a href=\"#{0}\"><code>{0}</code></a>", escape(name)))
    };
    match (name(schema), name(&schema["items"])) {
        (Some(name), _) => name,
        (None, Some(item)) => format!("list of {item}"),
        (None, None) => pretty(schema),
    }
}

fn pretty(schema: &Value) -> String {
    format!("<pre>{}</pre>", escape(&serde_json::to_string_pretty(schema).unwrap_or_default()))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_operation_and_escapes_what_it_shows() {
        let document = serde_json::to_value(<super::super::Document as utoipa::OpenApi>::openapi()).unwrap();
        let page = render(&document);
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                assert!(
                    page.contains(&format!("<b>{}</b> <code>{path}</code>", method.to_uppercase())),
                    "{method} {path}"
                );
            }
        }
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            assert!(page.contains(&format!("id=\"{name}\"")), "{name}");
        }
        assert!(!page.contains("src=") && !page.contains("<script") && !page.contains("http://"));
        assert_eq!(escape("<a b=\"&\">"), "&lt;a b=&quot;&amp;&quot;&gt;");
    }
}
