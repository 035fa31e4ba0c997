/* tests/unit/delivery/test_hostile.h - receivers that do everything wrong, against the real transport.
 *
 * Role:      which test shows what becomes of each hostile behaviour, of receivers and of name servers.
 *            hostile, wire, looked: test_hostile.c, test_hostile_wire.c, test_hostile_names.c;
 *            transport, net, names, tls: test_transport*.c; resolver: test_resolver.c.
 *
 * accepts and hangs                        transport  an_unfinished_answer_is_a_timeout
 * drips bytes of a header or a body        transport  an_unfinished_answer_is_a_timeout
 * drips informational answers              hostile    informational_answers_one_by_one_end_at_the_deadline
 * does not read the request                wire       a_receiver_that_does_not_read_is_a_timeout
 * endless header, line, status line        wire       an_endless_answer_is_bounded
 * endless body, plain and in chunks        wire       an_endless_answer_is_bounded
 * endless 1xx                              wire       an_endless_answer_is_bounded
 * gzip bomb                                hostile    a_compressed_answer_is_kept_as_it_is
 * closes before reading                    wire       a_receiver_that_closes_at_once_is_a_reset
 * closes after the request, half-way       transport  a_connection_that_ends_too_early_is_a_reset
 * Content-Length that is no number, or two hostile    a_bad_content_length_is_malformed
 * Content-Length too long, short, huge     hostile    a_length_that_does_not_fit
 * broken chunks, unknown encodings         hostile    a_broken_answer_is_malformed
 * HTTP/0.9, other protocols, 101           hostile    a_broken_answer_is_malformed
 * headers with NUL, folded, long           hostile    a_broken_answer_is_malformed, odd_answers_are_answers
 * random noise                             hostile    noise_has_an_outcome
 * 3xx to itself                            transport  a_redirect_is_not_followed
 * 3xx to 169.254.169.254, dirty, long      hostile    a_location_is_kept_clean
 * asks for a password, 417                 hostile    odd_answers_are_answers
 * 100-continue is never asked for          transport  a_big_body_needs_no_permission
 * bytes behind the answer                  wire, tls  bytes_behind_an_answer_are_not_the_next_one
 * bytes on an idle connection              wire       bytes_on_an_idle_connection_are_not_the_next_answer
 * answers before the body is sent          wire       an_answer_before_the_body_is_sent_counts
 * resets a reused connection               net        a_kept_connection_that_dies_gets_the_request_once_more
 * resets them all                          net        a_request_goes_out_twice_at_most
 * the same with a body over 64 KB          wire       a_big_body_on_a_dead_connection_is_sent_once_more
 * TLS stalls, TLS drips                    tls        a_handshake_that_hangs_ends_at_the_connect_timeout
 * no TLS behind https                      tls        a_plain_server_behind_https_is_a_tls_failure
 * expired, self-signed, wrong name         tls        a_bad_certificate_is_refused_and_named
 * unknown authority                tls  the_systems_authorities_are_not_replaced_but_unknown_ones_refused
 * TLS 1.0, TLS 1.1                         tls        tls_before_1_2_is_refused
 * the name does not exist                  names      a_name_that_does_not_exist_is_a_dns_failure
 * is answered slowly, or never             looked     a_slow_name_server_is_waited_for_until_the_deadline
 * AAAA is never answered                   looked     a_server_that_drops_aaaa_delivers
 * private addresses                        names      addresses_that_are_not_public_are_refused
 * a good and a bad address                 names      a_name_with_good_and_bad_addresses_uses_the_good
 * another address at the second look       names      a_name_rebound_to_an_inner_address_is_refused
 * another one between look and connect     names      the_address_is_checked_again_when_it_is_connected_to
 * CNAME loops, chains to inner names       looked     aliases_lead_to_checked_addresses_or_nowhere
 * hundreds of addresses                    looked     hundreds_of_addresses_are_bounded
 * answers that are none                    looked     a_spoiled_answer_is_a_dns_failure
 * noise of a name server                   resolver   noise_of_a_name_server_ends_the_look_up
 */
#ifndef TEST_HOSTILE_H
#define TEST_HOSTILE_H

int hostile_tests(void);
int hostile_wire_tests(void);
int hostile_names_tests(void);

#endif
