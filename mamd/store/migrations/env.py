"""Where alembic begins: on the connection and in the transaction that `mamd.store.upgrade` hands in."""

from alembic import context

from mamd.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
