"""How Alembic runs the versions: within the connection that it is handed, or offline as SQL."""

from __future__ import annotations

from alembic import context

from cds.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes tables by copying them
)
with context.begin_transaction():
    context.run_migrations()
