"""sign_in: lets people in who are known to an OpenID Connect provider. Deployed only where that is asked for."""
