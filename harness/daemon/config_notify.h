/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify: in kexsectd.yaml: who is told what. docs/notifications.md describes every key. */
#pragma once

#include <cyaml/cyaml.h>
#include <glib.h>
#include <stdbool.h>

/* Secrets are never here: only the files that hold them, which the job reads. */
typedef struct {
	char *name;	     /* [a-z0-9-], unique */
	char *webhook;	     /* http:// or https://; NULL: webhook_file or mail */
	char *webhook_file;  /* holds the address, where that is a secret itself */
	char *secret_file;   /* signs what is sent; NULL: not signed */
	char *format;	     /* json, text, slack; after loading never NULL */
	char **mail;	     /* addresses */
	unsigned mail_count; /* 0: a webhook */
	char *from;
	char *smtp; /* smtp://host[:port] (STARTTLS) or smtps://host[:port] */
	char *user, *password_file;
	int starttls;  /* default 1; 0 only without a password */
	char *ca_file; /* PEM; NULL: the system's */
	char **kinds;  /* of lines of the journal; after loading never empty */
	unsigned kinds_count;
	char **campaigns; /* patterns with * and ?; none: all */
	unsigned campaigns_count;
	char **owners; /* none: all */
	unsigned owners_count;
	char *at;	     /* "07:00": the summary; NULL: none */
	unsigned at_minutes; /* the same, minutes since 0:00 */
	unsigned per_minute; /* messages at most; default 20 */
} ConfigNotify;

extern const cyaml_schema_value_t config_notify_schema;

/* Checks entry `i` of the list and fills in the defaults. Errors say FILE:line:column. */
bool config_notify_check(ConfigNotify *n, unsigned i, const char *path, GError **error);
/* Whether it may be told of a line. `campaign` and `owner` NULL: it is about none, and then only
 * the kind counts. */
bool config_notify_wants(const ConfigNotify *n, const char *kind, const char *campaign,
			 const char *owner);
