/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The certificate that the daemon shows, and when it ends. */
#include <gnutls/x509.h>
#include <string.h>

#include "base/fs.h"
#include "http/http-internal.h"

#define MAX_PEM (1 << 20)
#define SOON_S (14 * 24 * 3600)
#define DAY_S (24 * 3600)

/* The end of the first certificate in the file; 0: it is none. */
static gint64 expiry_of(const char *pem)
{
	const gnutls_datum_t data = {(unsigned char *)pem, (unsigned)strlen(pem)};
	gnutls_x509_crt_t crt;
	gint64 end = 0;
	if (gnutls_x509_crt_init(&crt) < 0)
		return 0;
	if (gnutls_x509_crt_import(crt, &data, GNUTLS_X509_FMT_PEM) >= 0)
		end = (gint64)gnutls_x509_crt_get_expiration_time(crt);
	gnutls_x509_crt_deinit(crt);
	return MAX(end, 0);
}

static bool belong_together(const HttpCertificate *c)
{
	const gnutls_datum_t certificate = {(unsigned char *)c->certificate,
					    (unsigned)strlen(c->certificate)},
			     key = {(unsigned char *)c->key, (unsigned)strlen(c->key)};
	gnutls_certificate_credentials_t both;
	if (gnutls_certificate_allocate_credentials(&both) < 0)
		return false;
	bool ok = gnutls_certificate_set_x509_key_mem(both, &certificate, &key,
						      GNUTLS_X509_FMT_PEM) >= 0;
	gnutls_certificate_free_credentials(both);
	return ok;
}

bool http_certificate_load(const ConfigTls *c, HttpCertificate *ret, GError **error)
{
	http_certificate_clear(ret);
	if (!(ret->key = kx_read_file(c->key, MAX_PEM, NULL, error)) ||
	    !(ret->certificate = kx_read_file(c->certificate, MAX_PEM, NULL, error)))
		return false;
	if (!belong_together(ret)) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "%s and %s: do tls.certificate and tls.key belong together, in PEM "
			    "format?",
			    c->certificate, c->key);
		return false;
	}
	g_autofree char *both = g_strconcat(ret->certificate, ret->key, NULL);
	ret->sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, both, -1);
	explicit_bzero(both, strlen(both));
	ret->expires_s = expiry_of(ret->certificate);
	return true;
}

void http_certificate_clear(HttpCertificate *c)
{
	if (c->key)
		explicit_bzero(c->key, strlen(c->key));
	g_free(c->key);
	g_free(c->certificate);
	g_free(c->sum);
	*c = (HttpCertificate){0};
}

void http_certificate_watch(Http *h, gint64 now_s)
{
	gint64 left = h->expires_s - g_get_real_time() / G_USEC_PER_SEC;
	if (!h->expires_s || left > SOON_S || (h->warned_s && now_s - h->warned_s < DAY_S))
		return;
	h->warned_s = now_s;
	g_autoptr(GDateTime) end = g_date_time_new_from_unix_utc(h->expires_s);
	g_autofree char *when = end ? g_date_time_format(end, "%F %R UTC") : NULL;
	g_warning("the certificate of HTTP %s at %s: replace the file and reload the daemon",
		  left > 0 ? "expires" : "expired", when ? when : "?");
}
