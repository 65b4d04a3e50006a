//! Sending a message to the other processes on the database.

use sqlx::PgConnection;

use crate::{
    Result,
    message::{CHANNEL, Message},
};

/// Sends the message when the transaction commits; the process named in `from` leaves it out.
pub(super) async fn notify(
    connection: &mut PgConnection,
    from: &str,
    message: Message<'_>,
) -> Result<()> {
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(CHANNEL)
        .bind(message.text(from)?)
        .execute(connection)
        .await?;
    Ok(())
}
