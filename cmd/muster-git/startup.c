#include "muster-git.h"

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <string.h>

/*
 * What the libraries do at start and a look at a local repository has no use for, is half of its
 * time: libcrypto reads its configuration, and libgit2, where it is built with Mbed TLS, all
 * certificate authorities of the system. The first can be turned off. The second cannot, but the
 * function that reads them is looked up by name, and that of the program comes first: this one
 * answers "none found" to a local look, and hands the others on. Where libgit2 is built with
 * another library nobody calls it.
 */
static bool no_network;

int mbedtls_x509_crt_parse_file(void *chain, const char *path);

__attribute__((visibility("default"))) int mbedtls_x509_crt_parse_file(void *chain,
								       const char *path)
{
	int (*real)(void *, const char *);
	void *symbol = dlsym(RTLD_NEXT, "mbedtls_x509_crt_parse_file");
	if (no_network || !symbol)
		return 0;
	memcpy(&real, &symbol, sizeof(real));
	return real(chain, path);
}

void look_start_quickly(const struct look *look)
{
	no_network = look->place.local;
	if (no_network)
		OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}
