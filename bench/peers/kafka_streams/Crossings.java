import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Kafka Streams: the last count of each account in a store with a changelog, a record where one crosses the line.
 *
 * <p>Tuned: the Processor API, without the DSL's wrapping of values; a store in memory, cheaper than RocksDB, with
 * the record cache before it, so that its changelog gets one record per account and commit; larger polls than by
 * default; one thread. It commits each second, as Nameplate does: by default at-least-once would not commit within
 * the run at all (30 s), and exactly-once ten times a second. The thread is warmed up before the clock starts, though
 * its JIT compiler still has work to do then.
 *
 * <p>Source: kafka.apache.org/documentation/streams/developer-guide, "Memory Management" (record caches in the
 * Processor API; commit interval), "Configuring a Streams Application" (`num.stream.threads`, `commit.interval.ms`,
 * `processing.guarantee`, consumer settings such as `max.poll.records`), "Processor API" (in-memory stores).
 */
public final class Crossings {
    private static final long LINE = 500_000;

    /** A count as it stands in the topic. */
    public record Count(String event_id, String platform, String account_id, long followers, String observed_at) {}

    private static long warm;
    private static long total;
    private static long handled;
    private static long crossings;

    /** Called with the broker, the two topics, the counts of the warm-up and of all, and the guarantee. */
    public static void main(String[] arguments) throws IOException {
        warm = Long.parseLong(arguments[3]);
        total = Long.parseLong(arguments[4]);
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[1] + ".streams");
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, arguments[5]);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory("streams").toString());
        settings.put(StreamsConfig.consumerPrefix("max.poll.records"), 10_000);
        settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");

        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(
                Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore("last"), Serdes.String(), Serdes.Long())
                        .withCachingEnabled());
        builder.stream(arguments[1], Consumed.with(Serdes.String(), Serdes.ByteArray()))
                .process(Crossing::new, "last")
                .to(arguments[2], Produced.with(Serdes.String(), Serdes.String()));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.setUncaughtExceptionHandler(
                error -> {
                    error.printStackTrace();
                    Runtime.getRuntime().halt(1);
                    return null;
                });
        streams.start();
    }

    private static final class Crossing implements Processor<String, byte[], String, String> {
        private final ObjectReader reader = new ObjectMapper().readerFor(Count.class);
        private ProcessorContext<String, String> context;
        private KeyValueStore<String, Long> last;

        @Override
        public void init(ProcessorContext<String, String> given) {
            context = given;
            last = given.getStateStore("last");
        }

        @Override
        public void process(Record<String, byte[]> record) {
            Count count;
            try {
                count = reader.readValue(record.value());
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
            String key = count.platform() + ":" + count.account_id();
            Long before = last.get(key);
            last.put(key, count.followers());
            if ((before != null && before >= LINE) != (count.followers() >= LINE)) {
                crossings++;
                String said = "{\"account\":\"" + key + "\",\"followers\":" + count.followers() + "}";
                context.forward(record.withKey(key).withValue(said));
            }
            handled++;
            if (handled == warm) {
                System.out.println("warm");
            }
            if (handled == total) {
                System.out.println("done {\"handled\": " + handled + ", \"crossings\": " + crossings + "}");
            }
        }
    }
}
