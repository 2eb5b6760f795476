"""Who asks and what is answered: the SCIM protocol over HTTP, its service functions and the command line."""
