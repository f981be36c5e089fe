"""Schema changes. Inside the package because an installed wheel migrates its own database."""
