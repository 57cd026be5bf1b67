//! Reading what a subgraph answered.

use crate::error::{Code, Extensions, GraphqlError, PathItem, SubgraphError, SubgraphPathItem};
use crate::json::Document;
use crate::plan::Fetch;
use crate::schema::Schema;
use crate::transport::{FetchError, FetchResponse};

/// The answer as a document, the plan's rewrites applied.
pub(super) fn read(response: FetchResponse, fetch: &Fetch, schema: &Schema) -> Result<Document, FetchError> {
    let FetchResponse { status, body } = response;
    let mut document = match Document::parse(body, &fetch.shape, schema) {
        Ok(document) => document,
        Err(error) if status.is_success() => return Err(FetchError::Request(error.to_string())),
        Err(_) => return Err(FetchError::Status(status)),
    };
    // A GraphQL response may come with any status, but an error page in JSON is none.
    if !status.is_success() && document.errors().is_none() && document.object_count() == 0 {
        return Err(FetchError::Status(status));
    }
    let data = document.data();
    for rewrite in &fetch.rewrites {
        rewrite.apply(&mut document, data);
    }
    super::entities::rewrite(&fetch.target, &mut document);
    Ok(document)
}

/// A subgraph's error as clients are told of it, without its path, and the path.
pub(super) fn error(
    error: SubgraphError,
    subgraph: &str,
    mask: bool,
) -> (GraphqlError, Option<Vec<PathItem>>) {
    let SubgraphError { message, path, extensions } = error;
    let message = message.unwrap_or_else(|| "the subgraph gave no message".to_owned());
    let told = if mask {
        tracing::debug!(subgraph, message, ?extensions, "a subgraph told an error");
        GraphqlError::new(Code::DownstreamServiceError, "a service reported an error")
    } else {
        let mut told = GraphqlError::new(Code::DownstreamServiceError, message);
        if let Some(mut extensions) = extensions {
            extensions.entry("code").or_insert_with(|| "DOWNSTREAM_SERVICE_ERROR".into());
            told.extensions = Extensions::Subgraph(Box::new(extensions));
        }
        told.of_subgraph(subgraph)
    };
    let path = path.map(|items| {
        items
            .into_iter()
            .map_while(|item| match item {
                SubgraphPathItem::Field(name) => Some(PathItem::Field(name)),
                SubgraphPathItem::Index(index) => Some(PathItem::Index(index)),
                SubgraphPathItem::Other(_) => None,
            })
            .collect()
    });
    (told, path)
}
