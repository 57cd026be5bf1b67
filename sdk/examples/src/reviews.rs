//! The `reviews` subgraph: adds `reviews` to `Book`, which `books` owns.

use std::sync::RwLock;

use async_graphql::{
    ComplexObject, Context, EmptySubscription, Error, ID, Object, Result, Schema, SimpleObject,
};

use crate::{caller::Caller, server};

/// Reviews kept at most; `addReview` is refused beyond, since the service keeps all of them in memory.
pub const MAX_REVIEWS: usize = 1000;
/// Longest body of a review, in bytes; a longer one is refused.
pub const MAX_BODY_BYTES: usize = 4096;

/// The schema of the `reviews` service.
pub type ReviewsSchema = Schema<Query, Mutation, EmptySubscription>;

/// Makes the schema with the reviews that every start begins with.
pub fn schema() -> ReviewsSchema {
    server::bounded(Schema::build(Query, Mutation, EmptySubscription)).data(Store::seeded()).finish()
}

/// Oldest first. The lock is held for a scan or a push in memory, never across an await.
struct Store(RwLock<Vec<Review>>);

impl Store {
    fn seeded() -> Self {
        let seed = [
            ("r1", "1", "bob", 5, "A true name is worth more than a spell."),
            ("r2", "1", "carol", 4, "The sea is the best character."),
            ("r3", "2", "alice", 5, "Happiness for everybody, and let nobody go away unhappy."),
            ("r4", "3", "dave", 4, "Could not put it down."),
        ];
        Self(RwLock::new(
            seed.map(|(id, book, author, rating, body)| Review {
                id: ID::from(id),
                author: author.to_owned(),
                rating,
                body: body.to_owned(),
                book: Book { id: ID::from(book) },
            })
            .into(),
        ))
    }

    fn read(&self, pick: impl FnOnce(&[Review]) -> Vec<Review>) -> Vec<Review> {
        pick(&self.0.read().expect("no writer panics while it holds the lock"))
    }

    fn add(&self, book: ID, author: String, rating: i32, body: String) -> Result<Review> {
        if !(1..=5).contains(&rating) {
            return Err(Error::new(format!("rating is {rating}; expected 1 to 5")));
        }
        if body.len() > MAX_BODY_BYTES {
            return Err(Error::new(format!("body has {} bytes; at most {MAX_BODY_BYTES}", body.len())));
        }
        let mut reviews = self.0.write().expect("no writer panics while it holds the lock");
        if reviews.len() >= MAX_REVIEWS {
            return Err(Error::new(format!("the service keeps {MAX_REVIEWS} reviews and has no room left")));
        }
        let id = ID::from(format!("r{}", reviews.len() + 1));
        let review = Review { id, author, rating, body, book: Book { id: book } };
        reviews.push(review.clone());
        Ok(review)
    }
}

/// What somebody thinks of a book.
#[derive(Debug, Clone, SimpleObject)]
pub struct Review {
    id: ID,
    /// The subject of the verified caller who wrote it.
    author: String,
    /// From 1 to 5.
    rating: i32,
    body: String,
    book: Book,
}

/// This subgraph's part of `Book`: the key, and the reviews. It does not know which books exist.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct Book {
    id: ID,
}

#[ComplexObject]
impl Book {
    /// The reviews of this book, oldest first.
    async fn reviews(&self, ctx: &Context<'_>) -> Result<Vec<Review>> {
        let store = ctx.data::<Store>()?;
        Ok(store.read(|all| all.iter().filter(|review| review.book.id == self.id).cloned().collect()))
    }
}

/// The root of the `reviews` subgraph.
pub struct Query;

#[Object]
impl Query {
    /// The latest reviews, newest first.
    async fn latest_reviews(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 10)] first: u16,
    ) -> Result<Vec<Review>> {
        let store = ctx.data::<Store>()?;
        Ok(store.read(|all| all.iter().rev().take(usize::from(first)).cloned().collect()))
    }

    #[graphql(entity)]
    async fn find_book_by_id(&self, id: ID) -> Book {
        Book { id }
    }
}

/// The changes that the `reviews` subgraph offers.
pub struct Mutation;

#[Object]
impl Mutation {
    /// Adds a review in the name of the verified caller.
    async fn add_review(&self, ctx: &Context<'_>, book_id: ID, rating: i32, body: String) -> Result<Review> {
        let author = ctx.data_opt::<Caller>().and_then(|caller| caller.subject.clone()).ok_or_else(|| {
            Error::new("a review needs a verified caller; send the request through the node")
        })?;
        ctx.data::<Store>()?.add(book_id, author, rating, body)
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{Request, Value, value};

    use super::*;

    async fn check(caller: Option<&str>, query: &str, expected: Value, error: Option<&str>) {
        let caller = Caller { subject: caller.map(str::to_owned), ..Caller::default() };
        let response = schema().execute(Request::new(query).data(caller)).await;
        let errors: Vec<&str> = response.errors.iter().map(|error| error.message.as_str()).collect();
        assert_eq!(response.data, expected, "{errors:?}");
        assert_eq!(errors.first().copied(), error);
    }

    #[tokio::test]
    async fn book_entities_carry_their_reviews() {
        let query = r#"{ _entities(representations: [{__typename: "Book", id: "1"}, {__typename: "Book", id: "4"}])
            { ... on Book { reviews { id rating } } } }"#;
        let expected = value!({"_entities": [{"reviews": [{"id": "r1", "rating": 5}, {"id": "r2", "rating": 4}]}, {"reviews": []}]});
        check(None, query, expected, None).await;
    }

    #[tokio::test]
    async fn latest_reviews_come_newest_first() {
        check(
            None,
            "{ latestReviews(first: 2) { id book { id } } }",
            value!({"latestReviews": [{"id": "r4", "book": {"id": "3"}}, {"id": "r3", "book": {"id": "2"}}]}),
            None,
        )
        .await;
    }

    #[tokio::test]
    async fn a_review_is_written_in_the_name_of_the_verified_caller() {
        check(
            Some("erin"),
            r#"mutation { addReview(bookId: "4", rating: 3, body: "Odd.") { id author book { reviews { body } } } }"#,
            value!({"addReview": {"id": "r5", "author": "erin", "book": {"reviews": [{"body": "Odd."}]}}}),
            None,
        )
        .await;
    }

    #[tokio::test]
    async fn a_review_without_a_caller_is_refused() {
        check(
            None,
            r#"mutation { addReview(bookId: "4", rating: 3, body: "Odd.") { id } }"#,
            Value::Null,
            Some("a review needs a verified caller; send the request through the node"),
        )
        .await;
    }

    #[tokio::test]
    async fn a_rating_out_of_range_is_refused() {
        check(
            Some("erin"),
            r#"mutation { addReview(bookId: "4", rating: 6, body: "Odd.") { id } }"#,
            Value::Null,
            Some("rating is 6; expected 1 to 5"),
        )
        .await;
    }

    #[test]
    fn the_store_refuses_what_it_has_no_room_for() {
        let store = Store::seeded();
        let add = |body: &str| store.add(ID::from("1"), "erin".to_owned(), 3, body.to_owned());
        add(&"x".repeat(MAX_BODY_BYTES + 1)).expect_err("a body beyond the bound");
        for _ in 4..MAX_REVIEWS {
            add("x").expect("room is left");
        }
        add("x").expect_err("no room is left");
    }
}
