"""Looking into the database server: sessions, indexes, plans."""
