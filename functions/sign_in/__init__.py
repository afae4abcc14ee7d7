"""sign_in: lets in who is known to an OpenID Connect provider. Deployed only where that is asked for."""
