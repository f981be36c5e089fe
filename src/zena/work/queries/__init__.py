"""What is read: every function takes the Scope's sight into account and binds the tenant itself."""
