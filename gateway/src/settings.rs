//! How a gateway behaves.

use http::HeaderName;

use crate::limits::Limits;
use crate::persisted::Persisted;

/// How a gateway behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What requests may cost.
    pub limits: Limits,
    /// Whether `GET /graphql` shows GraphiQL to browsers. GraphiQL needs introspection, so this turns it on.
    pub graphiql: bool,
    /// Whether clients may ask for the schema (`__schema`, `__type`).
    pub introspection: bool,
    /// Whether clients are told no more of a subgraph's fault than that there is one, and where. The log tells
    /// all of it.
    pub mask_errors: bool,
    /// Whether a client that asks for it (`x-catalyst-explain: plan`) is told the query plan.
    pub explain: bool,
    /// Whether a query by GET is refused if a web page of another site may have sent it: browsers ask the
    /// gateway first (CORS preflight) only for requests with headers of their own.
    pub guard_cross_site: bool,
    /// Which operations are answered.
    pub persisted: Persisted,
    /// Headers of the client that go with every request to a subgraph. Those of the connection, of the body
    /// and `x-catalyst-…` never do.
    pub propagate: Vec<HeaderName>,
    /// Whether queries to a subgraph that are the same, for the same caller and at the same time, are sent
    /// once. Mutations never are.
    pub deduplicate: bool,
    /// How often a query to a subgraph is sent again that found no connection, or status 502, 503 or 504.
    /// Mutations never are.
    pub retries: u32,
}

impl Settings {
    /// For people at work on a schema: GraphiQL, introspection, query plans, errors as subgraphs tell them.
    pub fn development() -> Self {
        Self { graphiql: true, introspection: true, mask_errors: false, explain: true, ..Self::default() }
    }

    pub(crate) fn allows_introspection(&self) -> bool {
        self.introspection || self.graphiql
    }
}

impl Default for Settings {
    /// For the public: no introspection, errors masked. The caller's token and the headers that tracing needs
    /// go on to subgraphs.
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            graphiql: false,
            introspection: false,
            mask_errors: true,
            explain: false,
            guard_cross_site: true,
            persisted: Persisted::Off,
            propagate: [
                "authorization",
                "traceparent",
                "tracestate",
                "baggage",
                "x-request-id",
                "b3",
                "x-b3-traceid",
                "x-b3-spanid",
                "x-b3-parentspanid",
                "x-b3-sampled",
            ]
            .map(HeaderName::from_static)
            .to_vec(),
            deduplicate: true,
            retries: 1,
        }
    }
}
