"""The installation uses itself each minute, as a user would: what fails is seen where nobody works."""
