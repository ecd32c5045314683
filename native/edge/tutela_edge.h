/* What a message says, inside an app: for services that are encrypted end to end. The result stays on the device. The
 * library opens no file, asks no network and keeps nothing; a model is bytes that the app hands over. Thread-safe. */
#ifndef TUTELA_EDGE_H
#define TUTELA_EDGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tutela_edge tutela_edge;

/* A model from its bytes, which are copied; NULL where they are not one. */
tutela_edge* tutela_edge_open(const uint8_t* data, size_t size);

/* The evidence in a text of UTF-8, from 0 to 3: the same bits as the server's for the same model. `stage` is set to 1 to
 * 8, or to 0 where there is no evidence; it may be NULL. */
float tutela_edge_score(const tutela_edge* edge, const char* text, size_t size, uint8_t* stage);

void tutela_edge_close(tutela_edge* edge);

#ifdef __cplusplus
}
#endif
#endif
