"""How the services behind several sources are asked."""
