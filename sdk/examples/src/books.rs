//! The `books` subgraph: the origin of `Book`.

use async_graphql::{Context, EmptyMutation, EmptySubscription, ID, Object, Schema, SimpleObject};

use crate::{caller::Caller, server};

/// The schema of the `books` service.
pub type BooksSchema = Schema<Query, EmptyMutation, EmptySubscription>;

/// Makes the schema over the fixed shelf of books.
pub fn schema() -> BooksSchema {
    server::bounded(Schema::build(Query, EmptyMutation, EmptySubscription)).finish()
}

const SHELF: [(&str, &str, &str); 4] = [
    ("1", "A Wizard of Earthsea", "Ursula K. Le Guin"),
    ("2", "Roadside Picnic", "Arkady and Boris Strugatsky"),
    ("3", "Kindred", "Octavia E. Butler"),
    ("4", "The Invention of Morel", "Adolfo Bioy Casares"),
];

/// A book on the shelf.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub struct Book {
    /// The key by which other subgraphs name this book.
    id: ID,
    title: String,
    author: String,
}

fn shelf() -> impl Iterator<Item = Book> {
    SHELF.iter().map(|(id, title, author)| Book {
        id: ID::from(*id),
        title: (*title).to_owned(),
        author: (*author).to_owned(),
    })
}

/// The root of the `books` subgraph.
pub struct Query;

#[Object]
impl Query {
    /// Every book, in order of its id.
    async fn books(&self) -> Vec<Book> {
        shelf().collect()
    }

    /// The book with this id.
    async fn book(&self, id: ID) -> Option<Book> {
        shelf().find(|book| book.id == id)
    }

    /// The caller of this request, as the node verified it.
    async fn whoami(&self, ctx: &Context<'_>) -> Caller {
        ctx.data_opt::<Caller>().cloned().unwrap_or_default()
    }

    #[graphql(entity)]
    async fn find_book_by_id(&self, id: ID) -> Option<Book> {
        shelf().find(|book| book.id == id)
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{Request, value};

    use super::*;

    #[tokio::test]
    async fn sdl_declares_book_with_its_key() {
        let response = schema().execute("{ _service { sdl } }").await;
        let sdl = response.data.into_json().expect("data is JSON")["_service"]["sdl"].to_string();
        assert!(sdl.contains(r#"type Book @key(fields: \"id\")"#), "{sdl}");
        assert!(sdl.contains("https://specs.apollo.dev/federation/v2"), "{sdl}");
    }

    #[tokio::test]
    async fn entities_keep_the_order_of_representations_and_answer_null_for_an_unknown_book() {
        let query = r#"{ _entities(representations: [
            {__typename: "Book", id: "3"}, {__typename: "Book", id: "none"}, {__typename: "Book", id: "1"}
        ]) { ... on Book { title } } }"#;
        let response = schema().execute(query).await;
        assert_eq!(
            response.data,
            value!({"_entities": [{"title": "Kindred"}, null, {"title": "A Wizard of Earthsea"}]}),
            "{:?}",
            response.errors
        );
    }

    #[tokio::test]
    async fn whoami_shows_the_verified_caller() {
        let caller = Caller { subject: Some("alice".to_owned()), ..Caller::default() };
        let response = schema().execute(Request::new("{ whoami { subject issuer } }").data(caller)).await;
        assert_eq!(response.data, value!({"whoami": {"subject": "alice", "issuer": null}}));
    }
}
